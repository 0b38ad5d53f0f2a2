# tandem_page(VARIABLE NAMESPACE STEM): into VARIABLE the path of a source that has the files
# page/STEM.html, STEM.css and STEM.js of this folder, where there are such, as the texts of
# `tandem::NAMESPACE::page_files` (systems/http/page.hpp).
set(TANDEM_PAGE_TEMPLATE "${CMAKE_CURRENT_LIST_DIR}/page.cpp.in")

function(tandem_page variable PAGE_NAMESPACE stem)
  foreach(part IN ITEMS html css js)
    set(file "${CMAKE_CURRENT_SOURCE_DIR}/page/${stem}.${part}")
    string(TOUPPER PAGE_${part} text)
    set(${text} "")
    if(EXISTS "${file}")
      set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
      file(READ "${file}" ${text})
    endif()
  endforeach()
  set(made "${CMAKE_CURRENT_BINARY_DIR}/page_files.cpp")
  configure_file("${TANDEM_PAGE_TEMPLATE}" "${made}" @ONLY)
  set(${variable}
      "${made}"
      PARENT_SCOPE)
endfunction()
