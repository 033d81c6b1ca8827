//! The functions of CUDA that the program is linked against, each a jump through an address. A function that the
//! linker misses here fails the build, so none can be forgotten.

use std::sync::atomic::AtomicPtr;

use super::Wanted;

/// A function and where its address is kept.
pub(super) struct Jump {
    pub library: Wanted,
    pub name: &'static str,
    pub address: &'static AtomicPtr<()>,
}

/// Where every jump leads before `load`: nothing may call CUDA without it.
extern "C" fn not_loaded() -> ! {
    eprintln!("a function of CUDA was called before its libraries were loaded: this is a fault of the program");
    std::process::abort()
}

/// Jumps through the address at a symbol. All arguments stay where the caller put them.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
macro_rules! jump {
    ($address:path) => {
        std::arch::naked_asm!("jmp qword ptr [rip + {address}]", address = sym $address)
    };
}

/// As above; x16 is the register that the ABI keeps free for this.
#[cfg(all(target_os = "linux", target_arch = "aarch64"))]
macro_rules! jump {
    ($address:path) => {
        std::arch::naked_asm!(
            "adrp x16, {address}",
            "ldr x16, [x16, :lo12:{address}]",
            "br x16",
            address = sym $address
        )
    };
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
compile_error!(
    "the feature cuda is for Linux on x86-64 and aarch64: elsewhere the program cannot look for CUDA itself"
);

macro_rules! jumps {
    ($($library:ident { $($function:ident)* })*) => {
        $($(
            #[allow(non_snake_case, reason = "the module has the function's name")]
            mod $function {
                use super::{AtomicPtr, not_loaded};

                pub static ADDRESS: AtomicPtr<()> = AtomicPtr::new(not_loaded as *mut ());

                // SAFETY: the body is one jump that leaves registers and stack as they are, so this is the function
                // that the address leads to, whatever its type.
                #[unsafe(no_mangle)]
                #[unsafe(naked)]
                unsafe extern "C" fn $function() {
                    jump!(ADDRESS)
                }
            }
        )*)*

        /// All of them.
        pub(super) static JUMPS: &[Jump] = &[$($(
            Jump {
                library: Wanted::$library,
                name: stringify!($function),
                address: &$function::ADDRESS,
            },
        )*)*];
    };
}

jumps! {
    Driver {
        cuCtxDestroy_v2 cuCtxGetCurrent cuCtxSetCurrent cuCtxSynchronize cuDeviceGet cuDeviceGetAttribute
        cuDeviceGetDefaultMemPool cuDeviceGetName cuDevicePrimaryCtxRelease_v2 cuDevicePrimaryCtxRetain cuEventCreate
        cuEventDestroy_v2 cuEventQuery cuEventRecord cuEventSynchronize cuGetErrorString cuInit cuLaunchKernel
        cuMemAllocAsync cuMemAlloc_v2 cuMemFreeAsync cuMemFreeHost cuMemFree_v2 cuMemGetInfo_v2 cuMemHostAlloc
        cuMemPoolSetAttribute cuMemcpyDtoDAsync_v2 cuMemcpyDtoHAsync_v2 cuMemcpyHtoDAsync_v2 cuMemcpyPeerAsync
        cuMemsetD8Async cuModuleGetFunction cuModuleLoad cuModuleLoadData cuModuleUnload cuStreamCreate
        cuStreamDestroy_v2 cuStreamIsCapturing cuStreamSynchronize cuStreamWaitEvent
    }
    Cublas {
        cublasCreate_v2 cublasDestroy_v2 cublasDgemmStridedBatched cublasGemmStridedBatchedEx cublasSetStream_v2
    }
    Curand {
        curandCreateGenerator curandDestroyGenerator curandSetPseudoRandomGeneratorSeed curandSetStream
    }
    Cudnn {
        cudnnConvolutionBackwardData cudnnConvolutionBackwardFilter cudnnConvolutionForward cudnnCreate
        cudnnCreateConvolutionDescriptor cudnnCreateFilterDescriptor cudnnCreateTensorDescriptor
        cudnnDestroyConvolutionDescriptor cudnnDestroyFilterDescriptor cudnnDestroyTensorDescriptor
        cudnnFindConvolutionBackwardDataAlgorithmEx cudnnFindConvolutionBackwardFilterAlgorithmEx
        cudnnFindConvolutionForwardAlgorithmEx cudnnGetConvolutionBackwardDataWorkspaceSize
        cudnnGetConvolutionBackwardFilterWorkspaceSize cudnnGetConvolutionForwardWorkspaceSize
        cudnnSetConvolution2dDescriptor cudnnSetConvolutionMathType cudnnSetFilter4dDescriptor cudnnSetStream
        cudnnSetTensor4dDescriptor
    }
}
