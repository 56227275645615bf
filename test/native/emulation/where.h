// Names the line of source that an address in this program's code belongs to.
#pragma once

#include <string>

namespace yolox::emulation {

// " at <file>:<line>", or nothing where it cannot be told.
std::string where(const void* code);

}  // namespace yolox::emulation
