# The build identifier: a hash of every header that libtandem and libtandem_cuda both see, of the
# version and of the compiler. The two meet at run time through classes that these headers declare, so
# that a library of another build must not be loaded; core/cuda_library.cpp compares.
#
# Made while building, so that it is never that of an earlier configuration: tandem_build_id.hpp.

file(GLOB_RECURSE tandem_seam_headers CONFIGURE_DEPENDS
     "${PROJECT_SOURCE_DIR}/include/*.hpp" "${PROJECT_SOURCE_DIR}/include/*.inc"
     "${PROJECT_SOURCE_DIR}/core/*.hpp" "${PROJECT_SOURCE_DIR}/core/*.inc")
set(tandem_build_id_header "${CMAKE_CURRENT_BINARY_DIR}/generated/tandem_build_id.hpp")
set(tandem_seam_list "${CMAKE_CURRENT_BINARY_DIR}/seam_headers.txt")
list(JOIN tandem_seam_headers "\n" tandem_seam_lines)
file(CONFIGURE OUTPUT "${tandem_seam_list}" CONTENT "${tandem_seam_lines}\n" @ONLY)
add_custom_command(
  OUTPUT "${tandem_build_id_header}"
  COMMAND
    ${CMAKE_COMMAND} "-Dlist=${tandem_seam_list}" "-Dheader=${tandem_build_id_header}"
    "-Dbuild=${PROJECT_VERSION} ${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}" -P
    "${CMAKE_CURRENT_LIST_DIR}/write_build_id.cmake"
  DEPENDS ${tandem_seam_headers} "${tandem_seam_list}"
          "${CMAKE_CURRENT_LIST_DIR}/write_build_id.cmake"
  COMMENT "Writing the build identifier"
  VERBATIM)
add_custom_target(tandem_build_id DEPENDS "${tandem_build_id_header}")
