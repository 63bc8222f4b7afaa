"""The backend "native": groups of calls become machine code, compiled with LLVM.

`regions` groups calls. For each call, `calls` and `lowering` choose loops: `loops`, `reduction`,
`products` and `images`. `linking` lets them write LLVM's text, with `function` and `emitter`, and
`machine` compiles it.
"""
