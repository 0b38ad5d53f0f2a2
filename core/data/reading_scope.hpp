// Which settings of a Reading have an effect on a file of some format, and on one that a model
// reads.
#pragma once

#include <string>

#include "core/data/readers.hpp"

namespace tandem {

// Throws InputError that names the option where `asked` sets one that a file of this format takes
// no notice of: the caller believes that it changes what is read, and it would not.
void refuse_settings_without_use(const Reading& asked, FileFormat format, const std::string& file);

// Throws InputError where `options` asks for features that are none of those that the model of its
// schema takes: a later file may write a column otherwise, but not make another feature of it.
// Requires: options.schema is not null.
void refuse_settings_against_model(const ReadOptions& options, const std::string& file);

}  // namespace tandem
