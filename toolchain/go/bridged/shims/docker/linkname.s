// Go wants a file of assembly next to a function without a body.
