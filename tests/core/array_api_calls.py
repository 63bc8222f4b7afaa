"""A call of each function of the array API standard, as text, and the arrays that it names.

The tests evaluate them with the namespaces of Tensors, of NumPy and of array-api-strict.
"""

from __future__ import annotations

import numpy as np

_random = np.random.default_rng(0)

ARRAYS = {
    "x": _random.normal(size=(4, 3)),
    "y": _random.normal(size=(4, 3)),
    "p": _random.uniform(0.2, 0.9, size=(4, 3)),  # between 0 and 1
    "v": _random.normal(size=3),
    "w": _random.normal(size=3),
    "m": _random.normal(size=(3, 3)),
    "c": _random.normal(size=(4, 3)) + 1j * _random.normal(size=(4, 3)),
    "f": _random.normal(size=(4, 3)).astype(np.float32),
    "i": np.array([[3, 1, 2], [0, 3, 1]]),
    "j": np.array([[1, 2, 1], [3, 1, 1]]),
    "b": np.array([[True, False, True], [False, False, True]]),
    "k": np.array([2, 0, 1]),
    "sorted": np.array([-1.0, 0.0, 0.5, 2.0]),
}

# Calls of which each floating-point input has a derivative.
DIFFERENTIABLE = """
abs(x) acos(p) acosh(p+1) asin(p) asinh(x) atan(x) atanh(p) cos(x) cosh(x) exp(x) expm1(x) log(p)
log10(p) log1p(p) log2(p) negative(x) positive(x) real(x) reciprocal(p) sin(x) sinh(x) sqrt(p)
square(x) tan(p) tanh(x) conj(x) abs(c) conj(c) real(c) imag(c) add(x,y) atan2(x,y) copysign(x,y)
divide(x,p) hypot(x,y) logaddexp(x,y) maximum(x,y) minimum(x,y) multiply(x,y) pow(p,y) subtract(x,y)
remainder(p,0.7) multiply(2.0,x) pow(p,2) add(x,v) clip(x,-0.5,0.5) clip(x,max=0.5) clip(x,y,2.0)
where(x>0,x,y) where(x>0,x,0.0) asarray(x) asarray(x,copy=True) asarray(x,dtype=xp.float64)
astype(x,xp.float64) astype(x,xp.complex128) full_like(x,2.0)*x linspace(v,w,5)
meshgrid(v,w,indexing="ij")[1] tril(x,k=-1) triu(x,k=1) broadcast_arrays(x,v)[1]
broadcast_to(v,(2,3)) concat([x,y]) concat([x,v],axis=None) expand_dims(x,axis=1) flip(x)
flip(x,axis=1) matrix_transpose(x) moveaxis(x,0,1) permute_dims(x,(1,0)) repeat(x,2,axis=0)
repeat(x,k+1,axis=1) reshape(x,(2,6)) reshape(x,(-1,),copy=True) roll(x,1) roll(x,(1,-1),axis=(0,1))
squeeze(xp.reshape(x,(1,4,3)),axis=0) stack([x,y],axis=-1) take(x,k,axis=0)
take_along_axis(x,k[None,:],axis=0) tile(v,(2,2)) unstack(x,axis=1)[0] cumulative_prod(x,axis=0)
cumulative_prod(v,include_initial=True) cumulative_sum(x,axis=1)
cumulative_sum(x,axis=0,include_initial=True) diff(x) diff(x,axis=0,n=2,prepend=y) max(x)
max(x,axis=0) mean(x,axis=(0,1),keepdims=True) min(x,axis=1) prod(x,axis=0) std(x,correction=1)
sum(x,axis=0) sum(x,dtype=xp.float64) var(x,axis=0,correction=1.0,keepdims=True) sort(x,axis=0)
unique_all(v).values*1.0 unique_counts(v)[0]*1.0 unique_inverse(v)[0]*1.0 matmul(x,m)
tensordot(x,m,axes=1) vecdot(x,y) vecdot(x,y,axis=-2) vecdot(c,c) linalg.cholesky(m.mT@m+xp.eye(3))
linalg.cholesky(m.mT@m+xp.eye(3),upper=True) linalg.cross(x,y) linalg.det(m)
linalg.diagonal(x,offset=1) linalg.eigh(m+m.mT).eigenvalues linalg.eigvalsh(m+m.mT) linalg.inv(m)
linalg.matmul(x,m) linalg.matrix_norm(x) linalg.matrix_norm(x,ord="nuc",keepdims=True)
linalg.matrix_power(m,3) linalg.matrix_transpose(x) linalg.outer(v,w) linalg.pinv(x) linalg.qr(m).R
linalg.slogdet(m).logabsdet linalg.solve(m,v) linalg.svd(x,full_matrices=False).S linalg.svdvals(x)
linalg.tensordot(x,m,axes=1) linalg.trace(m) linalg.vecdot(x,y) linalg.vector_norm(x,axis=0,ord=3)
linalg.vector_norm(x) fft.fft(c) fft.fft(c,n=5,axis=0,norm="ortho") fft.fftn(c)
fft.fftn(c,s=(3,4),axes=(0,1)) fft.fftshift(x,axes=0) fft.hfft(c) fft.ifft(c) fft.ifftn(c,axes=(0,))
fft.ifftshift(x) fft.ihfft(x) fft.irfft(c) fft.irfftn(c) fft.rfft(x) fft.rfftn(x)
"""

# Calls whose results have no derivative, or one that is zero.
OTHERS = """
ceil(x) floor(x) round(x) sign(x) trunc(x) signbit(x) isfinite(x) isinf(x) isnan(x) logical_not(b)
bitwise_invert(i) bitwise_and(i,j) bitwise_left_shift(i,j) bitwise_or(i,3) bitwise_right_shift(i,j)
bitwise_xor(i,j) equal(i,j) not_equal(i,j) less(x,y) less_equal(x,0.0) greater(x,y)
greater_equal(x,y) logical_and(b,b) logical_or(b,b) logical_xor(b,b) floor_divide(x,p)
nextafter(x,y) remainder(i,j) all(b,axis=0) any(b,axis=(0,1),keepdims=True) count_nonzero(i,axis=1)
argmax(x,axis=0) argmin(x,keepdims=True) argsort(x,axis=0) isin(i,k) nonzero(b)[1]
searchsorted(sorted,v) searchsorted(sorted,v,side="right") unique_all(i).indices
unique_counts(i).counts unique_inverse(i).inverse_indices unique_values(sorted) arange(5)
arange(1.0,4.0,0.5) arange(3,dtype=xp.float32) empty((2,3)).shape empty_like(x).shape eye(3)
eye(2,4,k=1,dtype=xp.int64) full((2,2),7) full(3,1.5,dtype=xp.float32) ones(3) ones_like(i)
zeros((2,0)) zeros_like(x,dtype=xp.int8) linspace(0.0,1.0,4,endpoint=False) fft.fftfreq(5,d=0.1)
fft.rfftfreq(4) linalg.matrix_rank(x) sum(f) prod(f,axis=0) mean(f) std(f) clip(f,-0.5,0.5)
sum(xp.astype(i,xp.int8)) can_cast(xp.int8,xp.int32) can_cast(i,xp.int8) finfo(xp.float32).eps
finfo(xp.float64).max iinfo(xp.int8).min isdtype(xp.float32,"numeric")
isdtype(xp.int8,("bool","integral")) result_type(f,1.0) result_type(i,xp.int8)
broadcast_shapes((3,1),(1,4)) from_dlpack(x) asarray([[1,2],[3,4]]) asarray(1.5) asarray([True])
asarray(2j)
"""


def calls(text: str) -> list[str]:
    """Return the calls in one of the texts above."""
    return text.split()


def evaluate(call: str, xp: object, arrays: dict[str, object]) -> object:
    """Return the result of a call with a namespace and its arrays."""
    return eval(f"xp.{call}", {"xp": xp, **arrays})
