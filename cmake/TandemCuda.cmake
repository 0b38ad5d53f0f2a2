# Says, once per configuration, what of the CUDA half is built. ./dev prints the same line.

find_program(TANDEM_NVCC nvcc HINTS /usr/local/cuda/bin ENV CUDA_HOME PATH_SUFFIXES bin)
if(TANDEM_NVCC)
  set(tandem_cuda_status
      "CUDA: ${TANDEM_NVCC} is there, but this version of Tandem has no CUDA half yet: the devices cuda and softgpu are left out.")
else()
  set(tandem_cuda_status
      "CUDA: no nvcc: the devices cuda and softgpu are left out. The CUDA Toolkit 13 (developer.nvidia.com/cuda-downloads) has it; this version of Tandem has no CUDA half yet.")
endif()
message(STATUS "${tandem_cuda_status}")
file(WRITE "${CMAKE_CURRENT_BINARY_DIR}/cuda-status.txt" "${tandem_cuda_status}\n")
