# Generates the table of transforms from file names: core/<area>/xyz_transform.cpp defines
# make_xyz_transform(), and nothing else has to be told.

set(tandem_transform_declarations "")
set(tandem_transform_entries "")
foreach(file IN LISTS tandem_sources)
  if(file MATCHES "/core/[a-z]+/([a-z0-9_]+)_transform\\.cpp$")
    set(stem "${CMAKE_MATCH_1}")
    string(REPLACE "_" "-" name "${stem}")
    string(APPEND tandem_transform_declarations
           "std::unique_ptr<TransformStep> make_${stem}_transform();\n")
    string(APPEND tandem_transform_entries "    {\"${name}\", make_${stem}_transform},\n")
  endif()
endforeach()
configure_file("${CMAKE_CURRENT_SOURCE_DIR}/cmake/transforms.cpp.in"
               "${CMAKE_CURRENT_BINARY_DIR}/generated/transforms.cpp" @ONLY)
list(APPEND tandem_generated_sources "${CMAKE_CURRENT_BINARY_DIR}/generated/transforms.cpp")
