# softgpu_generate_stubs(TARGET NAMES VERSION HANDLER [OWN_VERSION OWN_NAME...]...)
#
# Makes the shared library TARGET export every name of the file NAMES (one a line, # starts a
# comment) under the symbol version VERSION, and nothing else. A name that no source of TARGET
# defines gets a stub: a weak function that calls HANDLER, `extern "C" int HANDLER(const char*
# name)`, and returns what that returns. Weak gives way to a definition in the same link, so what is
# implemented is said in one place only: where it is written. OWN_NAMEs, which NVIDIA's library does
# not have, are exported under versions of their own (in capitals, with a number: SOFTGPU_1) and have
# to be defined.
function(softgpu_generate_stubs target names_file version handler)
  get_filename_component(names_file "${names_file}" ABSOLUTE)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${names_file}")
  file(STRINGS "${names_file}" names REGEX "^[A-Za-z_]")
  set(source "extern \"C\" {\n__attribute__((visibility(\"hidden\"))) int ${handler}(const char* name);\n")
  set(script "${version} {\n  global:\n")
  foreach(name IN LISTS names)
    string(STRIP "${name}" name)
    string(APPEND source
           "__attribute__((weak)) int ${name}();\nint ${name}() { return ${handler}(\"${name}\"); }\n")
    string(APPEND script "    ${name};\n")
  endforeach()
  string(APPEND source "}\n")
  string(APPEND script "  local:\n    *;\n};\n")
  set(open FALSE)
  foreach(name IN LISTS ARGN)
    if(name MATCHES "^[A-Z]+_[0-9.]+$")
      if(open)
        string(APPEND script "};\n")
      endif()
      string(APPEND script "${name} {\n  global:\n")
      set(open TRUE)
    else()
      string(APPEND script "    ${name};\n")
    endif()
  endforeach()
  if(open)
    string(APPEND script "};\n")
  endif()
  set(source_file "${CMAKE_CURRENT_BINARY_DIR}/${target}_stubs.cpp")
  set(script_file "${CMAKE_CURRENT_BINARY_DIR}/${target}.map")
  file(CONFIGURE OUTPUT "${source_file}" CONTENT "${source}" @ONLY)
  file(CONFIGURE OUTPUT "${script_file}" CONTENT "${script}" @ONLY)
  target_sources(${target} PRIVATE "${source_file}")
  set_source_files_properties("${source_file}" PROPERTIES COMPILE_OPTIONS -Wno-builtin-declaration-mismatch)
  target_link_options(${target} PRIVATE "LINKER:--version-script=${script_file}")
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS "${script_file}")
endfunction()
