// Opens TensorFlow for the binding. TensorFlow's static initialisers report to standard error before any logging
// level can be set; unless the user wants its log (TF_CPP_MIN_LOG_LEVEL=0), they are led to /dev/null meanwhile.
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "absl/base/log_severity.h"
#include "absl/log/globals.h"

namespace {

void Open(const char* name) {
  if (!dlopen(name, RTLD_NOW | RTLD_GLOBAL)) std::fprintf(stderr, "%s\n", dlerror());
}

__attribute__((constructor)) void LoadTensorFlow() {
  const char* text = std::getenv("TF_CPP_MIN_LOG_LEVEL");
  const int level = text ? std::atoi(text) : 0;
  const int terminal = level > 0 ? dup(STDERR_FILENO) : -1;
  if (terminal >= 0) {
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(nowhere, STDERR_FILENO);
    close(nowhere);
  }
  Open("libtensorflow_framework.so.2");
  Open("libtensorflow_cc.so.2");
  if (terminal >= 0) {
    dup2(terminal, STDERR_FILENO);
    close(terminal);
  }
  absl::SetMinLogLevel(static_cast<absl::LogSeverityAtLeast>(level));
}

}  // namespace
