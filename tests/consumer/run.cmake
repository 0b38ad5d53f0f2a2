# Installs Tandem into a scratch prefix, builds the programs of examples/cpp against it and runs
# them.
# Arguments (-D): build_dir, source_dir, scratch_dir, generator.

function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE status OUTPUT_VARIABLE output
                  ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "failed (${status}): ${ARGV}\n${output}")
  endif()
  message(STATUS "${output}")
endfunction()

file(REMOVE_RECURSE "${scratch_dir}")
run("${CMAKE_COMMAND}" --install "${build_dir}" --prefix "${scratch_dir}/prefix")
run("${CMAKE_COMMAND}" -S "${source_dir}" -B "${scratch_dir}/build" -G "${generator}"
    "-DCMAKE_PREFIX_PATH=${scratch_dir}/prefix" -DCMAKE_BUILD_TYPE=Release)
run("${CMAKE_COMMAND}" --build "${scratch_dir}/build")
foreach(program typed by_name many_threads)
  run("${scratch_dir}/build/${program}" "${source_dir}/../../data/iris.csv")
endforeach()
run("${scratch_dir}/build/in_memory")
run("${scratch_dir}/build/own_transform")
run("${scratch_dir}/build/custom_objective" "${source_dir}/../../data/breast_cancer.csv")
# The installed program finds its library without help from the environment.
run("${CMAKE_COMMAND}" -E env --unset=LD_LIBRARY_PATH "${scratch_dir}/prefix/bin/tandem" --version)
file(REMOVE_RECURSE "${scratch_dir}")
