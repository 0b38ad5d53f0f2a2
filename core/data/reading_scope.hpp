// Which formats take notice of which settings of a Reading.
#pragma once

#include <string>

#include "core/data/readers.hpp"

namespace tandem {

// Throws InputError that names the option where `asked` sets one that a file of this format takes
// no notice of: the caller believes that it changes what is read, and it would not.
void refuse_settings_without_use(const Reading& asked, FileFormat format, const std::string& file);

}  // namespace tandem
