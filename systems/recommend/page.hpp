// The page at /, whose files in page/ the build puts into the program.
#pragma once

#include <string_view>

namespace tandem::recommend {

extern const std::string_view page_html;
extern const std::string_view page_css;
extern const std::string_view page_js;

}  // namespace tandem::recommend
