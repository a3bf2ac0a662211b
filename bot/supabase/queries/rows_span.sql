WHERE t.ctid >= format('(%s,0)', cutover_span.first)::tid AND t.ctid < format('(%s,0)', cutover_span.next)::tid
