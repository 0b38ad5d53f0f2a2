# Finds nvcc 13 and compiles CUDA programs with it. Says, once per configuration, what of the CUDA
# half is built; ./dev prints the same line.
#
# By custom commands and not by CMake's own CUDA language: that one links NVIDIA's runtime by absolute
# path and asks at configuration for a device architecture, and neither is wanted here. The programs
# carry PTX only and find libcudart.so.13 by LD_LIBRARY_PATH when they run.

function(tandem_nvcc_is_13 result candidate)
  execute_process(COMMAND "${candidate}" --version OUTPUT_VARIABLE version ERROR_QUIET)
  if(NOT version MATCHES "release 13\\.")
    set(${result} FALSE PARENT_SCOPE)
  endif()
endfunction()

# build/cuda-toolkit is where ./dev puts one from PyPI's wheels if the machine has none.
find_program(TANDEM_NVCC nvcc
             HINTS ENV CUDA_HOME ENV CUDA_PATH
             PATHS /usr/local/cuda "${PROJECT_SOURCE_DIR}/build/cuda-toolkit"
             PATH_SUFFIXES bin
             VALIDATOR tandem_nvcc_is_13)
if(TANDEM_NVCC)
  set(tandem_cuda_status
      "CUDA: ${TANDEM_NVCC} compiles the CUDA half (libtandem_cuda) and the software GPU's test programs")
else()
  set(tandem_cuda_status
      "CUDA: no nvcc 13: the CUDA half (the devices cuda and softgpu) and the software GPU's test programs are NOT built and NOT tested. The CUDA Toolkit 13 (developer.nvidia.com/cuda-downloads) has it, and ./dev fetches one where PyPI can be reached.")
endif()
message(STATUS "${tandem_cuda_status}")
file(WRITE "${CMAKE_CURRENT_BINARY_DIR}/cuda-status.txt" "${tandem_cuda_status}\n")

# The architectures that the CUDA half is compiled for. `release` is every one that CUDA 13 supports in
# hardware that people have, as machine code, and PTX for later ones; two virtual architectures are
# enough, because cp.async is the only thing in our kernels that 7.5 lacks. `development` is 8.0 and
# those of this machine's GPUs, which takes half the time: what ./dev builds. The software GPU runs the
# PTX of compute_80.
set(TANDEM_CUDA_ARCHITECTURES "" CACHE STRING "release, development, or empty: by the build type")
if(TANDEM_CUDA_ARCHITECTURES STREQUAL "release"
   OR (TANDEM_CUDA_ARCHITECTURES STREQUAL "" AND CMAKE_BUILD_TYPE STREQUAL "Release"))
  set(tandem_cuda_code -gencode arch=compute_75,code=sm_75 -gencode
                       arch=compute_80,code=[sm_80,sm_86,sm_89,sm_90,sm_100,sm_120,compute_80])
elseif(TANDEM_CUDA_ARCHITECTURES STREQUAL ""
       OR TANDEM_CUDA_ARCHITECTURES STREQUAL "development")
  set(tandem_machine_code sm_80)
  execute_process(COMMAND nvidia-smi --query-gpu=compute_cap --format=csv,noheader
                  OUTPUT_VARIABLE tandem_gpus ERROR_QUIET RESULT_VARIABLE tandem_no_gpus)
  if(tandem_no_gpus EQUAL 0)
    string(REGEX MATCHALL "[0-9]+\\.[0-9]" tandem_gpus "${tandem_gpus}")
    foreach(gpu IN LISTS tandem_gpus)
      if(gpu VERSION_GREATER_EQUAL 8.0)
        string(REPLACE "." "" gpu "${gpu}")
        list(APPEND tandem_machine_code sm_${gpu})
      endif()
    endforeach()
    list(REMOVE_DUPLICATES tandem_machine_code)
  endif()
  list(JOIN tandem_machine_code "," tandem_machine_code)
  set(tandem_cuda_code -gencode arch=compute_80,code=[${tandem_machine_code},compute_80])
else()
  message(FATAL_ERROR "TANDEM_CUDA_ARCHITECTURES is '${TANDEM_CUDA_ARCHITECTURES}': expected release, development or nothing")
endif()

# tandem_compile_cuda(variable source...)
#
# Compiles .cu files of the CUDA half; puts the objects' paths into `variable`. Contraction is off, as
# everywhere; -lineinfo lets a fault name its line; compressed for size, the library of a release is a
# tenth.
function(tandem_compile_cuda variable)
  set(objects)
  foreach(source IN LISTS ARGN)
    get_filename_component(source "${source}" ABSOLUTE)
    file(RELATIVE_PATH stem "${PROJECT_SOURCE_DIR}" "${source}")
    set(object "${CMAKE_CURRENT_BINARY_DIR}/objects/${stem}.o")
    get_filename_component(folder "${object}" DIRECTORY)
    file(MAKE_DIRECTORY "${folder}")
    set(werror)
    if(TANDEM_WERROR)
      set(werror -Werror all-warnings)
    endif()
    add_custom_command(
      OUTPUT "${object}"
      COMMAND
        ${CMAKE_CXX_COMPILER_LAUNCHER} "${TANDEM_NVCC}" -std=c++20 -O3 ${tandem_cuda_code}
        -fmad=false -lineinfo --compress-mode=size -cudart shared --expt-relaxed-constexpr --extended-lambda ${werror}
        -ccbin "${CMAKE_CXX_COMPILER}"
        -Xcompiler=-fPIC,-ffp-contract=off,-fno-math-errno,-Wall,-Wextra
        "-I${PROJECT_SOURCE_DIR}" "-I${PROJECT_SOURCE_DIR}/include"
        "-I${PROJECT_BINARY_DIR}/generated" -MD -MF "${object}.d" -c "${source}" -o "${object}"
      DEPENDS "${source}"
      DEPFILE "${object}.d"
      COMMENT "Building CUDA object ${stem}.o"
      VERBATIM)
    list(APPEND objects "${object}")
  endforeach()
  set(${variable} "${objects}" PARENT_SCOPE)
endfunction()

# tandem_add_cuda_program(target [NOT_IN_ALL] PROGRAM path SOURCES a.cu [b.cu ...] [OPTIONS ...]
#                         [INCLUDES ...])
#
# A target, part of `all` unless told, that makes the program at that path. OPTIONS are nvcc's, for compiling and
# linking. PTX for compute_80 is what is made if they name no architecture.
function(tandem_add_cuda_program target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "NOT_IN_ALL" "PROGRAM" "SOURCES;OPTIONS;INCLUDES")
  set(options -std=c++17 -O2 -cudart shared -ccbin "${CMAKE_CXX_COMPILER}"
              -Xcompiler=-Wall,-Wextra,-Wno-unused-parameter)
  if(NOT "${arg_OPTIONS}" MATCHES "-arch|-gencode")
    list(APPEND options -arch=compute_80)
  endif()
  list(APPEND options ${arg_OPTIONS})
  foreach(folder IN LISTS arg_INCLUDES)
    list(APPEND options "-I${folder}")
  endforeach()
  set(objects)
  foreach(source IN LISTS arg_SOURCES)
    get_filename_component(source "${source}" ABSOLUTE)
    get_filename_component(stem "${source}" NAME_WE)
    set(object "${arg_PROGRAM}.dir/${stem}.o")
    file(MAKE_DIRECTORY "${arg_PROGRAM}.dir")
    add_custom_command(
      OUTPUT "${object}"
      COMMAND ${CMAKE_CXX_COMPILER_LAUNCHER} "${TANDEM_NVCC}" ${options} -MD -MF "${object}.d" -c
              "${source}" -o "${object}"
      DEPENDS "${source}"
      DEPFILE "${object}.d"
      COMMENT "Building CUDA object ${target}/${stem}.o"
      VERBATIM)
    list(APPEND objects "${object}")
  endforeach()
  add_custom_command(
    OUTPUT "${arg_PROGRAM}"
    COMMAND "${TANDEM_NVCC}" ${options} ${objects} -o "${arg_PROGRAM}"
    DEPENDS ${objects}
    COMMENT "Linking CUDA program ${target}"
    VERBATIM)
  set(all ALL)
  if(arg_NOT_IN_ALL)
    set(all)
  endif()
  add_custom_target(${target} ${all} DEPENDS "${arg_PROGRAM}")
endfunction()
