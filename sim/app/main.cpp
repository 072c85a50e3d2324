// The program: everything happens in run_program, so that tests can link all of it.
#include <string>
#include <vector>

#include "sim/app/commands.hpp"
#include "sim/app/console.hpp"

int main(int argc, char** argv) {
  rooftrace::prepare_console();
  return rooftrace::run_program(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc));
}
