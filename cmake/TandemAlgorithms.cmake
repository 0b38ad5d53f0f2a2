# Generates the table of algorithms from file names: core/<area>/xyz_algorithm.cpp defines
# make_xyz_algorithm(), and nothing else has to be told.

set(tandem_algorithm_declarations "")
set(tandem_algorithm_entries "")
foreach(file IN LISTS tandem_sources)
  if(file MATCHES "/core/[a-z]+/([a-z0-9_]+)_algorithm\\.cpp$")
    set(stem "${CMAKE_MATCH_1}")
    string(REPLACE "_" "-" name "${stem}")
    string(APPEND tandem_algorithm_declarations
           "std::unique_ptr<Algorithm> make_${stem}_algorithm();\n")
    string(APPEND tandem_algorithm_entries "    {\"${name}\", make_${stem}_algorithm},\n")
  endif()
endforeach()
configure_file("${CMAKE_CURRENT_SOURCE_DIR}/cmake/algorithms.cpp.in"
               "${CMAKE_CURRENT_BINARY_DIR}/generated/algorithms.cpp" @ONLY)
set(tandem_generated_sources "${CMAKE_CURRENT_BINARY_DIR}/generated/algorithms.cpp")

# The same for recommenders: core/recommend/xyz_recommender.cpp defines make_xyz_recommender().
set(tandem_recommender_declarations "")
set(tandem_recommender_entries "")
foreach(file IN LISTS tandem_sources)
  if(file MATCHES "/core/[a-z]+/([a-z0-9_]+)_recommender\\.cpp$")
    set(stem "${CMAKE_MATCH_1}")
    string(REPLACE "_" "-" name "${stem}")
    string(APPEND tandem_recommender_declarations
           "std::unique_ptr<RecommenderAlgorithm> make_${stem}_recommender();\n")
    string(APPEND tandem_recommender_entries "    {\"${name}\", make_${stem}_recommender},\n")
  endif()
endforeach()
configure_file("${CMAKE_CURRENT_SOURCE_DIR}/cmake/recommenders.cpp.in"
               "${CMAKE_CURRENT_BINARY_DIR}/generated/recommenders.cpp" @ONLY)
list(APPEND tandem_generated_sources "${CMAKE_CURRENT_BINARY_DIR}/generated/recommenders.cpp")
