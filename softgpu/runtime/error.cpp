// Error state and what errors are called.
#include <algorithm>
#include <array>

#include "softgpu/runtime/cuda_functions.hpp"
#include "softgpu/runtime/errors.hpp"
#include "softgpu/runtime/state.hpp"

namespace softgpu::cuda {
namespace {

struct ErrorText {
  cudaError code;
  const char* name;
  const char* text;
};

#define SOFTGPU_ERROR(name, text) \
  ErrorText { name, #name, text }
constexpr std::array texts{
    SOFTGPU_ERROR(cudaSuccess, "no error"),
    SOFTGPU_ERROR(cudaErrorInvalidValue, "invalid argument"),
    SOFTGPU_ERROR(cudaErrorMemoryAllocation, "out of memory"),
    SOFTGPU_ERROR(cudaErrorInitializationError, "initialization error"),
    SOFTGPU_ERROR(cudaErrorCudartUnloading, "the runtime is being unloaded"),
    SOFTGPU_ERROR(cudaErrorProfilerDisabled, "the profiler is disabled"),
    SOFTGPU_ERROR(cudaErrorProfilerNotInitialized, "the profiler is not initialized"),
    SOFTGPU_ERROR(cudaErrorProfilerAlreadyStarted, "the profiler runs already"),
    SOFTGPU_ERROR(cudaErrorProfilerAlreadyStopped, "the profiler was stopped before"),
    SOFTGPU_ERROR(cudaErrorInvalidConfiguration, "invalid configuration argument"),
    SOFTGPU_ERROR(cudaErrorInvalidPitchValue, "invalid pitch argument"),
    SOFTGPU_ERROR(cudaErrorInvalidSymbol, "invalid device symbol"),
    SOFTGPU_ERROR(cudaErrorInvalidHostPointer, "invalid host pointer"),
    SOFTGPU_ERROR(cudaErrorInvalidDevicePointer, "invalid device pointer"),
    SOFTGPU_ERROR(cudaErrorInvalidTexture, "invalid texture reference"),
    SOFTGPU_ERROR(cudaErrorInvalidTextureBinding, "texture is not bound to a pointer"),
    SOFTGPU_ERROR(cudaErrorInvalidChannelDescriptor, "invalid channel descriptor"),
    SOFTGPU_ERROR(cudaErrorInvalidMemcpyDirection, "invalid copy direction for memcpy"),
    SOFTGPU_ERROR(cudaErrorAddressOfConstant, "address of a constant variable taken"),
    SOFTGPU_ERROR(cudaErrorTextureFetchFailed, "fetch from texture failed"),
    SOFTGPU_ERROR(cudaErrorTextureNotBound, "texture not bound"),
    SOFTGPU_ERROR(cudaErrorSynchronizationError, "synchronization failed"),
    SOFTGPU_ERROR(cudaErrorInvalidFilterSetting, "linear filtering not supported for this type"),
    SOFTGPU_ERROR(cudaErrorInvalidNormSetting, "read as normalized float not supported"),
    SOFTGPU_ERROR(cudaErrorMixedDeviceExecution, "device emulation cannot be mixed"),
    SOFTGPU_ERROR(cudaErrorNotYetImplemented, "feature not yet implemented"),
    SOFTGPU_ERROR(cudaErrorMemoryValueTooLarge, "memory size or pointer value too large"),
    SOFTGPU_ERROR(cudaErrorStubLibrary, "a stub library of CUDA is loaded"),
    SOFTGPU_ERROR(cudaErrorInsufficientDriver, "the driver is older than the runtime"),
    SOFTGPU_ERROR(cudaErrorCallRequiresNewerDriver, "the call needs a newer driver"),
    SOFTGPU_ERROR(cudaErrorInvalidSurface, "invalid surface reference"),
    SOFTGPU_ERROR(cudaErrorDuplicateVariableName, "two variables have one name"),
    SOFTGPU_ERROR(cudaErrorDuplicateTextureName, "two textures have one name"),
    SOFTGPU_ERROR(cudaErrorDuplicateSurfaceName, "two surfaces have one name"),
    SOFTGPU_ERROR(cudaErrorDevicesUnavailable, "all devices are busy or unavailable"),
    SOFTGPU_ERROR(cudaErrorIncompatibleDriverContext, "incompatible driver context"),
    SOFTGPU_ERROR(cudaErrorMissingConfiguration, "a launch configuration is missing"),
    SOFTGPU_ERROR(cudaErrorPriorLaunchFailure, "an earlier launch failed"),
    SOFTGPU_ERROR(cudaErrorLaunchMaxDepthExceeded, "launches nested too deep"),
    SOFTGPU_ERROR(cudaErrorLaunchFileScopedTex, "launch uses file-scoped textures"),
    SOFTGPU_ERROR(cudaErrorLaunchFileScopedSurf, "launch uses file-scoped surfaces"),
    SOFTGPU_ERROR(cudaErrorSyncDepthExceeded, "synchronization nested too deep"),
    SOFTGPU_ERROR(cudaErrorLaunchPendingCountExceeded, "too many pending launches"),
    SOFTGPU_ERROR(cudaErrorInvalidDeviceFunction, "invalid device function"),
    SOFTGPU_ERROR(cudaErrorNoDevice, "no CUDA-capable device is detected"),
    SOFTGPU_ERROR(cudaErrorInvalidDevice, "invalid device ordinal"),
    SOFTGPU_ERROR(cudaErrorDeviceNotLicensed, "device is not licensed"),
    SOFTGPU_ERROR(cudaErrorSoftwareValidityNotEstablished, "software validity not established"),
    SOFTGPU_ERROR(cudaErrorStartupFailure, "the runtime could not start"),
    SOFTGPU_ERROR(cudaErrorInvalidKernelImage, "device kernel image is invalid"),
    SOFTGPU_ERROR(cudaErrorDeviceUninitialized, "invalid device context"),
    SOFTGPU_ERROR(cudaErrorMapBufferObjectFailed, "mapping of buffer object failed"),
    SOFTGPU_ERROR(cudaErrorUnmapBufferObjectFailed, "unmapping of buffer object failed"),
    SOFTGPU_ERROR(cudaErrorArrayIsMapped, "array is mapped"),
    SOFTGPU_ERROR(cudaErrorAlreadyMapped, "resource already mapped"),
    SOFTGPU_ERROR(cudaErrorNoKernelImageForDevice,
                  "no kernel image is available for execution on the device"),
    SOFTGPU_ERROR(cudaErrorAlreadyAcquired, "resource already acquired"),
    SOFTGPU_ERROR(cudaErrorNotMapped, "resource not mapped"),
    SOFTGPU_ERROR(cudaErrorNotMappedAsArray, "resource not mapped as array"),
    SOFTGPU_ERROR(cudaErrorNotMappedAsPointer, "resource not mapped as pointer"),
    SOFTGPU_ERROR(cudaErrorECCUncorrectable, "uncorrectable ECC error encountered"),
    SOFTGPU_ERROR(cudaErrorUnsupportedLimit, "limit is not supported on this architecture"),
    SOFTGPU_ERROR(cudaErrorDeviceAlreadyInUse, "device is used by another thread"),
    SOFTGPU_ERROR(cudaErrorPeerAccessUnsupported, "peer access is not supported"),
    SOFTGPU_ERROR(cudaErrorInvalidPtx, "PTX could not be compiled"),
    SOFTGPU_ERROR(cudaErrorInvalidGraphicsContext, "invalid graphics context"),
    SOFTGPU_ERROR(cudaErrorNvlinkUncorrectable, "uncorrectable NVLink error"),
    SOFTGPU_ERROR(cudaErrorJitCompilerNotFound, "PTX compiler not found"),
    SOFTGPU_ERROR(cudaErrorUnsupportedPtxVersion, "PTX is of an unsupported version"),
    SOFTGPU_ERROR(cudaErrorJitCompilationDisabled, "compilation of PTX is disabled"),
    SOFTGPU_ERROR(cudaErrorUnsupportedExecAffinity, "execution affinity is not supported"),
    SOFTGPU_ERROR(cudaErrorUnsupportedDevSideSync, "synchronization in a kernel not supported"),
    SOFTGPU_ERROR(cudaErrorContained, "an error was contained by the device"),
    SOFTGPU_ERROR(cudaErrorInvalidSource, "device kernel source is invalid"),
    SOFTGPU_ERROR(cudaErrorFileNotFound, "file not found"),
    SOFTGPU_ERROR(cudaErrorSharedObjectSymbolNotFound, "symbol of shared object not found"),
    SOFTGPU_ERROR(cudaErrorSharedObjectInitFailed, "shared object could not be initialized"),
    SOFTGPU_ERROR(cudaErrorOperatingSystem, "a call of the operating system failed"),
    SOFTGPU_ERROR(cudaErrorInvalidResourceHandle, "invalid resource handle"),
    SOFTGPU_ERROR(cudaErrorIllegalState, "the resource is in a state that forbids this"),
    SOFTGPU_ERROR(cudaErrorLossyQuery, "the answer would lose information"),
    SOFTGPU_ERROR(cudaErrorSymbolNotFound, "named symbol not found"),
    SOFTGPU_ERROR(cudaErrorNotReady, "device not ready"),
    SOFTGPU_ERROR(cudaErrorIllegalAddress, "an illegal memory access was encountered"),
    SOFTGPU_ERROR(cudaErrorLaunchOutOfResources, "too many resources requested for launch"),
    SOFTGPU_ERROR(cudaErrorLaunchTimeout, "the launch timed out and was terminated"),
    SOFTGPU_ERROR(cudaErrorLaunchIncompatibleTexturing, "launch with incompatible texturing"),
    SOFTGPU_ERROR(cudaErrorPeerAccessAlreadyEnabled, "peer access is already enabled"),
    SOFTGPU_ERROR(cudaErrorPeerAccessNotEnabled, "peer access has not been enabled"),
    SOFTGPU_ERROR(cudaErrorSetOnActiveProcess, "cannot be set while the process is active"),
    SOFTGPU_ERROR(cudaErrorContextIsDestroyed, "context is destroyed"),
    SOFTGPU_ERROR(cudaErrorAssert, "device-side assert triggered"),
    SOFTGPU_ERROR(cudaErrorTooManyPeers, "peer resources are used up"),
    SOFTGPU_ERROR(cudaErrorHostMemoryAlreadyRegistered, "host memory is already registered"),
    SOFTGPU_ERROR(cudaErrorHostMemoryNotRegistered, "host memory has not been registered"),
    SOFTGPU_ERROR(cudaErrorHardwareStackError, "stack of a kernel overflowed or is damaged"),
    SOFTGPU_ERROR(cudaErrorIllegalInstruction, "an illegal instruction was encountered"),
    SOFTGPU_ERROR(cudaErrorMisalignedAddress, "misaligned address"),
    SOFTGPU_ERROR(cudaErrorInvalidAddressSpace, "operation not supported on this address space"),
    SOFTGPU_ERROR(cudaErrorInvalidPc, "invalid program counter"),
    SOFTGPU_ERROR(cudaErrorLaunchFailure, "unspecified launch failure"),
    SOFTGPU_ERROR(cudaErrorCooperativeLaunchTooLarge, "too many blocks in cooperative launch"),
    SOFTGPU_ERROR(cudaErrorTensorMemoryLeak, "tensor memory was not freed"),
    SOFTGPU_ERROR(cudaErrorNotPermitted, "operation not permitted"),
    SOFTGPU_ERROR(cudaErrorNotSupported, "operation not supported"),
    SOFTGPU_ERROR(cudaErrorSystemNotReady, "system not yet initialized"),
    SOFTGPU_ERROR(cudaErrorSystemDriverMismatch, "system does not match its display driver"),
    SOFTGPU_ERROR(cudaErrorCompatNotSupportedOnDevice, "compatibility mode not supported here"),
    SOFTGPU_ERROR(cudaErrorMpsConnectionFailed, "no connection to the MPS server"),
    SOFTGPU_ERROR(cudaErrorMpsRpcFailure, "remote procedure call of MPS failed"),
    SOFTGPU_ERROR(cudaErrorMpsServerNotReady, "MPS server is not ready"),
    SOFTGPU_ERROR(cudaErrorMpsMaxClientsReached, "too many MPS clients"),
    SOFTGPU_ERROR(cudaErrorMpsMaxConnectionsReached, "too many MPS connections"),
    SOFTGPU_ERROR(cudaErrorMpsClientTerminated, "MPS client was terminated"),
    SOFTGPU_ERROR(cudaErrorCdpNotSupported, "launching from kernels is not supported"),
    SOFTGPU_ERROR(cudaErrorCdpVersionMismatch, "versions of device runtimes do not match"),
    SOFTGPU_ERROR(cudaErrorStreamCaptureUnsupported,
                  "operation not permitted when stream is capturing"),
    SOFTGPU_ERROR(cudaErrorStreamCaptureInvalidated, "the capture was invalidated by an error"),
    SOFTGPU_ERROR(cudaErrorStreamCaptureMerge, "two captures would be merged"),
    SOFTGPU_ERROR(cudaErrorStreamCaptureUnmatched, "the capture was begun in another stream"),
    SOFTGPU_ERROR(cudaErrorStreamCaptureUnjoined, "a stream of the capture was not joined"),
    SOFTGPU_ERROR(cudaErrorStreamCaptureIsolation, "dependency on work outside the capture"),
    SOFTGPU_ERROR(cudaErrorStreamCaptureImplicit,
                  "the legacy stream would depend on a capturing stream"),
    SOFTGPU_ERROR(cudaErrorCapturedEvent, "operation not permitted on a captured event"),
    SOFTGPU_ERROR(cudaErrorStreamCaptureWrongThread, "the capture was begun in another thread"),
    SOFTGPU_ERROR(cudaErrorTimeout, "a wait timed out"),
    SOFTGPU_ERROR(cudaErrorGraphExecUpdateFailure, "the graph differs too much for an update"),
    SOFTGPU_ERROR(cudaErrorExternalDevice, "an external device failed"),
    SOFTGPU_ERROR(cudaErrorInvalidClusterSize, "invalid cluster size"),
    SOFTGPU_ERROR(cudaErrorFunctionNotLoaded, "function is not loaded"),
    SOFTGPU_ERROR(cudaErrorInvalidResourceType, "invalid type of resource"),
    SOFTGPU_ERROR(cudaErrorInvalidResourceConfiguration, "invalid configuration of resources"),
    SOFTGPU_ERROR(cudaErrorUnknown, "unknown error"),
    SOFTGPU_ERROR(cudaErrorApiFailureBase, "internal error of the interface"),
};
#undef SOFTGPU_ERROR

const ErrorText* find_error(cudaError_t error) {
  const auto found = std::ranges::find(texts, error, &ErrorText::code);
  return found == texts.end() ? nullptr : &*found;
}

}  // namespace

const char* name_of(cudaError_t error) {
  const ErrorText* known = find_error(error);
  return known == nullptr ? "unrecognized error code" : known->name;
}

const char* text_of(cudaError_t error) {
  const ErrorText* known = find_error(error);
  return known == nullptr ? "unrecognized error code" : known->text;
}

extern "C" {

const char* cudaGetErrorName(cudaError_t error) {
  if (error != cudaSuccess) received_error(error);
  return name_of(error);
}

const char* cudaGetErrorString(cudaError_t error) {
  if (error != cudaSuccess) received_error(error);
  return text_of(error);
}

cudaError_t cudaPeekAtLastError() {
  const int sticky = current_device().sticky.load();
  const cudaError_t last = sticky != 0 ? static_cast<cudaError_t>(sticky) : thread().last_error;
  if (last != cudaSuccess) received_errors(thread().id);
  return last;
}

cudaError_t cudaGetLastError() {
  const cudaError_t last = cudaPeekAtLastError();
  thread().last_error = cudaSuccess;
  return last;
}

}  // extern "C"

}  // namespace softgpu::cuda
