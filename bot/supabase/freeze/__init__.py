"""The freeze, and its way back: `kit` is what stands and stood, `apply` does it, `thaw` takes it back."""
