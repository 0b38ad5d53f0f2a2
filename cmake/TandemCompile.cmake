# How every one of Tandem's own files is compiled.
#
# Contraction is off because exact mode promises the same bits on every device: a product and a sum
# are fused only where the code says fma. Nothing is compiled with -march: the hot files are
# compiled once per instruction set by Highway and choose at run time.

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_CXX_VISIBILITY_PRESET default)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")

add_library(tandem_compile INTERFACE)
target_compile_features(tandem_compile INTERFACE cxx_std_20)
# GCC 12 reports overlapping copies inside std::string that cannot happen (GCC bug 105651).
target_compile_options(
  tandem_compile INTERFACE -ffp-contract=off -fno-math-errno -Wall -Wextra -Wconversion -Wshadow
                           -Wno-psabi $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
                           $<$<BOOL:${TANDEM_WERROR}>:-Werror>)
if(TANDEM_BUILD_FUZZERS)
  # What is fuzzed reads files and computes nothing; Clang with the fuzzer's coverage takes many
  # minutes over each vectorised file per instruction set.
  target_compile_definitions(tandem_compile INTERFACE HWY_COMPILE_ONLY_STATIC)
else()
  # AVX-512, AVX2 and a baseline for any x86-64; the sets between are not worth their compile time.
  target_compile_definitions(
    tandem_compile INTERFACE "HWY_DISABLED_TARGETS=(HWY_SSSE3|HWY_SSE4|HWY_AVX3_DL)")
endif()

# tandem_compile_lightly(target...): for tests, benchmarks, agreement cases and the program, which run
# no hot loop of their own. -O1 takes a third less time over them than -O3, and tests run as long.
function(tandem_compile_lightly)
  foreach(target IN LISTS ARGN)
    # Where it inlines less, GCC takes more variables for uninitialised that are not.
    target_compile_options(
      ${target} PRIVATE $<$<CONFIG:Release>:-O1>
                        $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  endforeach()
endfunction()

# tandem_unite(target...): compiles up to six files of the target as one (CMake's unity builds), which
# takes less than half of the time, because headers and what templates make of them are shared. Names
# in unnamed namespaces and macros of a target's files must differ from each other therefore. Left out
# are files with options of their own, those that Highway compiles once per instruction set, which
# include themselves, and those with a line that begins "// Compiled by itself".
function(tandem_unite)
  if(NOT TANDEM_UNITY)
    return()
  endif()
  foreach(target IN LISTS ARGN)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 6)
    # GCC takes the files that were joined for headers.
    target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
    get_target_property(sources ${target} SOURCES)
    get_target_property(folder ${target} SOURCE_DIR)
    foreach(source IN LISTS sources)
      get_filename_component(path "${source}" ABSOLUTE BASE_DIR "${folder}")
      if(NOT source MATCHES "\\.cpp$" OR NOT EXISTS "${path}")
        continue()
      endif()
      file(STRINGS "${path}" alone REGEX "hwy/foreach_target\\.h|^// Compiled by itself" LIMIT_COUNT 1)
      if(alone)
        set_source_files_properties("${path}" TARGET_DIRECTORY ${target}
                                    PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
      endif()
    endforeach()
  endforeach()
endfunction()

if(TANDEM_SANITIZE)
  # For all targets, so that tests and programs link the same runtime.
  add_compile_options(-fsanitize=${TANDEM_SANITIZE} -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${TANDEM_SANITIZE})
endif()
if(TANDEM_BUILD_FUZZERS)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
