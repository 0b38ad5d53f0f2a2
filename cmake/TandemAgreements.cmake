# Generates the table of agreements from file names: agree/<area>/xyz_agreement.cpp defines
# make_xyz_agreement(), and nothing else has to be told.

set(tandem_agreement_declarations "")
set(tandem_agreement_entries "")
foreach(file IN LISTS tandem_agree_sources)
  if(file MATCHES "/agree/[a-z]+/([a-z0-9_]+)_agreement\\.cpp$")
    set(stem "${CMAKE_MATCH_1}")
    string(REPLACE "_" "-" name "${stem}")
    string(APPEND tandem_agreement_declarations "Agreement make_${stem}_agreement();\n")
    string(APPEND tandem_agreement_entries "    {\"${name}\", make_${stem}_agreement},\n")
  endif()
endforeach()
configure_file("${PROJECT_SOURCE_DIR}/cmake/agreements.cpp.in"
               "${PROJECT_BINARY_DIR}/generated/agreements.cpp" @ONLY)
list(APPEND tandem_agree_sources "${PROJECT_BINARY_DIR}/generated/agreements.cpp")
