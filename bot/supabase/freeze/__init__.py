"""The freeze, and its way back: `kit` is what stands and stood, `thaw` takes it back."""
