// A machine from its file, with changes laid on top before it is read, so that a change is checked like the file itself.
#include "sim/app/hardware_choice.hpp"

#include "sim/machine/machine_load.hpp"

namespace rooftrace {
namespace {

HardwareChoice finish(ConfigDocument document, const std::string& name, const std::vector<std::string>& sets) {
  for (const std::string& assignment : sets) document.set(assignment);
  HardwareChoice choice;
  choice.machine = load_machine(document.root(), name);
  document.check_all_read();
  choice.yaml = document.canonical();
  return choice;
}

}  // namespace

HardwareChoice choose_hardware(const std::string& word, const std::vector<std::string>& sets, const ConfigPaths& paths,
                               const std::string& base, const SourceLocation& where) {
  const ConfigFile file = paths.find(ConfigKind::hardware, word, base, where);
  return finish(paths.document(file.path), file.name, sets);
}

HardwareChoice choose_hardware(const ConfigNode& node, const std::vector<std::string>& sets, const ConfigPaths& paths,
                               const std::string& base) {
  if (!node.is_map()) return choose_hardware(node.string(), sets, paths, base, node.where());
  const auto extends = node.find("extends");
  const auto own_name = node.find("name");
  std::string name = own_name ? own_name->string() : "inline";
  ConfigDocument document = ConfigDocument::parse("{}", node.where().file);
  if (extends) {
    const ConfigFile file = paths.find(ConfigKind::hardware, extends->string(), base, extends->where());
    if (!own_name) name = file.name;
    document = paths.document(file.path);
  }
  document.overlay(node, {"extends", "name"});
  return finish(std::move(document), name, sets);
}

}  // namespace rooftrace
