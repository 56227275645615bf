#include "emulation/where.h"

#include <unistd.h>

#include <cstdio>
#include <memory>

namespace yolox::emulation {

std::string where(const void* code) {
  if (!code) return "";
  // A return address belongs to the instruction before it.
  char command[128];
  snprintf(command, sizeof(command), "addr2line -e /proc/%d/exe %p 2>/dev/null", getpid(),
           static_cast<const void*>(static_cast<const char*>(code) - 1));
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command, "r"), pclose);
  char line[1024];
  if (!pipe || !fgets(line, sizeof(line), pipe.get()) || line[0] == '?') return "";
  std::string place(line);
  place = place.substr(0, place.find_first_of("\n ("));
  return " at " + place.substr(place.rfind('/') + 1);
}

}  // namespace yolox::emulation
