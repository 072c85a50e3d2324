#include "sim/engine/kernel_graph.hpp"

#include <algorithm>
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/topological_sort.hpp>
#include <map>
#include <stdexcept>
#include <string>

namespace rooftrace {

KernelGraph::KernelGraph(std::span<const Kernel> kernels) : successors_(kernels.size()), predecessors_(kernels.size()) {
  using Graph = boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS>;
  Graph graph(kernels.size());
  std::map<std::uint32_t, std::uint32_t> last_of_stream;
  for (std::uint32_t i = 0; i < kernels.size(); ++i) {
    std::vector<std::uint32_t> waits = kernels[i].waits_for;
    const auto previous = last_of_stream.find(kernels[i].stream);
    if (previous != last_of_stream.end()) waits.push_back(previous->second);
    last_of_stream[kernels[i].stream] = i;
    std::sort(waits.begin(), waits.end());
    waits.erase(std::unique(waits.begin(), waits.end()), waits.end());
    for (const std::uint32_t wait : waits) {
      if (wait >= i)
        throw std::invalid_argument("kernel " + std::to_string(i) + " waits for kernel " + std::to_string(wait) +
                                    ", which does not come before it");
      boost::add_edge(wait, i, graph);
      successors_[wait].push_back(i);
    }
    predecessors_[i] = std::move(waits);
  }
  // topological_sort visits vertices in index order and yields reverse order: with edges from lower to higher index the result is a valid
  // order.
  boost::topological_sort(graph, std::back_inserter(order_));
  std::reverse(order_.begin(), order_.end());
}

double KernelGraph::critical_path(std::span<const double> durations) const {
  std::vector<double> end(durations.size());
  double longest = 0;
  for (const std::uint32_t kernel : order_) {
    double start = 0;
    for (const std::uint32_t before : predecessors_[kernel]) start = std::max(start, end[before]);
    end[kernel] = start + durations[kernel];
    longest = std::max(longest, end[kernel]);
  }
  return longest;
}

}  // namespace rooftrace
