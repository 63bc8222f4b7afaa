"""The backend "native": groups of calls become machine code, compiled with LLVM.

A program goes through these modules, lowest first: `emitter` writes LLVM's text, `elementwise` has
the ufuncs, `geometry` finds the elements of views, `loops` and `products` have the kinds of loops,
`lowering` chooses them for a call, `regions` groups calls, and `linking` compiles them with
`machine`.
"""
