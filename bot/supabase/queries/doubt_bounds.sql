-- array_dims is like [1:3][1:2].
array_dims({value}) !~ '^(\[1:\d+\])+$'
