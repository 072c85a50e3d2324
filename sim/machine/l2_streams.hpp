// The rest of l2_walk.hpp: what goes to HBM, lines of streams that are counted (stream_lines.hpp says why that is the same), and the state
// as a number.
#pragma once

#include <algorithm>

#include "sim/machine/l2_state.hpp"
#include "sim/machine/l2_walk.hpp"

namespace rooftrace {

/// Neighbouring lines of one interleave chunk go to their channel together: the same total at the same time.
template <class Cache>
void L2Walk<Cache>::fetch_all(std::span<const Miss> misses, Call& call) {
  std::uint64_t chunk = hbm_.chunk(misses.front().line << line_shift_);
  std::uint32_t sectors = 0;
  std::uint32_t far = 0;  // lines of it whose home is another partition than the requester's
  for (const Miss& miss : misses) {
    const std::uint64_t next = hbm_.chunk(miss.line << line_shift_);
    if (next != chunk) {
      fetch(chunk, sectors, far, call);
      chunk = next;
      sectors = far = 0;
    }
    sectors += hbm_.moved(miss.sectors);
    far += miss.remote;
  }
  fetch(chunk, sectors, far, call);
  call.fetched = true;
}

template <class Cache>
void L2Walk<Cache>::fetch(std::uint64_t chunk, std::uint32_t sectors, std::uint32_t far, Call& call) {
  if (chunk == call.chunk) far |= call.chunk_far;  // batches end anywhere
  call.chunk = chunk;
  call.chunk_far = far;
  const Time through = hbm_.read_chunk(call.now, chunk, sectors) + (far != 0 ? crossing_ : 0);
  call.ready = through > call.ready ? through : call.ready;
}

/// Counts the lines of an access if that is the same as looking them up; otherwise changes nothing.
template <class Cache>
bool L2Walk<Cache>::count_stream(const Access& access, Call& call) {
  constexpr std::uint64_t kMostBytes = 1ULL << 26;  // of one access, to keep the marks of its pages short
  const bool plain = access.op == AccessOp::load && access.role == TensorRole::weights &&
                     (access.hint == CacheHint::normal || access.hint == CacheHint::evict_last);
  if (!plain || access.rows == 0 || access.row_bytes == 0) return false;
  const std::uint64_t pitch = access.rows > 1 ? access.pitch : access.row_bytes;
  if (((access.address | access.row_bytes | pitch) & (spec_.line - 1)) != 0 || pitch < access.row_bytes) return false;
  if (pitch > kMostBytes / access.rows || !never_touched(access)) return false;

  finish_batches(call);
  if (streams_.full()) name_all();
  const std::uint64_t first = access.address >> line_shift_;
  const StreamLines::Entry entry = {first, pitch >> line_shift_, access.rows, access.row_bytes >> line_shift_, call.partition};
  streams_.add(entry, access.address, pitch * access.rows);
  std::array<std::uint64_t, kStreamPiece> piece;
  std::uint32_t filled = 0;
  // Local copies, and one short loop for rows of one line, which most tiles of a matrix have: then a vector is filled at once.
  const std::uint64_t step = entry.pitch;
  const std::uint32_t rows = entry.rows, row_lines = entry.row_lines;
  if (row_lines == 1) {
    std::uint64_t line = first;
    for (std::uint32_t left = rows; left > 0;) {
      const std::uint32_t count = std::min(left, kStreamPiece);
      for (std::uint32_t i = 0; i < count; ++i) piece[i] = line + i * step;
      count_lines(std::span(piece.data(), count), call);
      line += count * step;
      left -= count;
    }
  } else {
    for (std::uint32_t r = 0; r < rows; ++r) {
      std::uint64_t line = first + r * step;
      for (std::uint32_t left = row_lines; left > 0;) {
        const std::uint32_t count = std::min(left, kStreamPiece - filled);
        for (std::uint32_t i = 0; i < count; ++i) piece[filled + i] = line + i;
        line += count;
        left -= count;
        filled += count;
        if (filled < kStreamPiece) continue;
        count_lines(piece, call);
        filled = 0;
      }
    }
    if (filled > 0) count_lines(std::span(piece.data(), filled), call);
  }
  call.fetched = true;
  return true;
}

/// Of an access of whole lines.
template <class Cache>
bool L2Walk<Cache>::never_touched(const Access& access) const {
  const std::uint32_t full = (1U << sectors_per_line_) - 1;
  const std::uint32_t line_shift = line_shift_, rows = access.rows;
  const std::uint64_t pitch = access.pitch >> line_shift, row_lines = access.row_bytes >> line_shift;
  std::uint64_t row = access.address >> line_shift;
  std::uint32_t touched = 0;
  for (std::uint32_t r = 0; r < rows; ++r, row += pitch) {
    for (std::uint64_t line = row; line < row + row_lines; ++line) touched |= first_touch_.touched(line) & full;
  }
  return touched == 0;
}

/// Loops over local arrays and copies of members: a store through a pointer to bytes could change any member, for all the compiler knows.
template <class Cache>
void L2Walk<Cache>::count_lines(std::span<const std::uint64_t> lines, Call& call) {
  const IndexMap index = index_;
  const LinePlaces places = places_;
  const std::uint32_t near_begin = call.near_begin, partition_sets = places.sets(), full = (1U << sectors_per_line_) - 1;
  std::array<std::uint32_t, kStreamPiece> sets;
  std::array<std::uint32_t, kStreamPiece> remote;
  std::array<std::uint32_t, kStreamPiece> chunks;
  std::array<std::uint32_t, kStreamPiece> channels;
  std::array<std::uint32_t, kStreamPiece> banks;
  std::array<std::uint32_t, kStreamPiece> left;  // of refreshes
  const ChannelMap map = hbm_.map();
  const std::uint32_t line_shift = line_shift_;
  const std::size_t count = lines.size();
  std::uint32_t remote_lines = 0;
  for (std::size_t i = 0; i < count; ++i) sets[i] = index.narrow_set(static_cast<std::uint32_t>(lines[i]));
  for (std::size_t i = 0; i < count; ++i) {
    remote[i] = sets[i] - near_begin >= partition_sets ? 1 : 0;
    remote_lines += remote[i];
    chunks[i] = static_cast<std::uint32_t>(map.chunk(lines[i] << line_shift));
  }
  for (std::size_t i = 0; i < count; ++i) channels[i] = map.narrow_channel(chunks[i]);
  const ChunkHash chunk_hash = hbm_.hash();
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t hash = ChunkHash::of(chunks[i]);
    banks[i] = Hbm::bank_index(chunk_hash, channels[i], hash);
    left[i] = chunk_hash.left(hash);
  }
  std::uint8_t* const waiting = streams_.waiting();
  const std::uint32_t ways = cache_.ways(), partition = call.partition;
  const bool copies = places.copies();
  const auto count_in = [&](std::uint32_t set) {
    const std::uint8_t now = waiting[set];
    if (now < StreamLines::kServedAtOnce) [[likely]] {
      waiting[set] = static_cast<std::uint8_t>(now + (now < ways ? 1 : 0));
    } else {
      push_at_once(set, call);
    }
  };
  // A line goes in front of its home. Which lines go where first makes no difference: none has a name, and HBM adds up what is written back
  // at the same time.
  for (std::size_t i = 0; i < count; ++i) count_in(sets[i]);
  if (copies) {
    // And of the set beside the requester, unless its home is there. Gathered without a branch, because no host can predict where a home
    // is.
    std::array<std::uint32_t, kStreamPiece> beside;
    std::array<std::uint32_t, kStreamPiece + 1> gathered;
    std::size_t far = 0;
    for (std::size_t i = 0; i < count; ++i) beside[i] = places.copy({sets[i], 0}, partition).set;
    for (std::size_t i = 0; i < count; ++i) {
      gathered[far] = beside[i];
      far += remote[i];
    }
    for (std::size_t i = 0; i < far; ++i) count_in(gathered[i]);
  }
  std::size_t first = 0;
  std::uint32_t far = count > 0 && chunks[0] == call.chunk ? call.chunk_far : 0;  // lines of a chunk whose home is another partition
  std::uint32_t last_far = 0;
  const Time now = call.now, crossing = crossing_;
  Time ready = call.ready;
  for (std::size_t i = 0; i < count; ++i) {
    static_cast<void>(first_touch_.mark(first_touch_.word(lines[i]), lines[i], full));
    far |= remote[i];
    if (i + 1 < count && chunks[i + 1] == chunks[first]) continue;
    const auto sectors = static_cast<std::uint32_t>(i + 1 - first) * sectors_per_line_;
    const Time through = hbm_.read_bank(now, channels[i], chunks[i], banks[i], sectors, left[i]) + (far != 0 ? crossing : 0);
    if (through > ready) ready = through;
    first = i + 1;
    last_far = far;
    far = 0;
  }
  call.ready = ready;
  if (count > 0) {
    call.chunk = chunks[count - 1];
    call.chunk_far = last_far;
  }
  const std::uint64_t all = count * std::uint64_t{sectors_per_line_};
  call.asked += all;
  call.missed += all;
  call.compulsory += all;
  call.crossed += std::uint64_t{remote_lines} * sectors_per_line_;
}

/// One more line without a name in front of a set that may hold dirty lines.
template <class Cache>
[[gnu::noinline]] void L2Walk<Cache>::push_at_once(std::uint32_t set, Call& call) {
  const Touch touch = cache_.push_unnamed(set);
  if (touch.victim_dirty != 0) write_back(line_at(set, touch.victim_tag), touch.victim_dirty, call);
  if (!cache_.has_dirty(set)) streams_.waiting()[set] = 0;
}

template <class Cache>
void L2Walk<Cache>::put_waiting(std::uint32_t set) {
  std::uint8_t& waiting = streams_.waiting()[set];
  if (waiting == 0 || waiting == StreamLines::kServedAtOnce) return;
  if (waiting >= cache_.ways()) {
    cache_.fill_unnamed(set);
    waiting = 0;
  }
  for (; waiting > 0; --waiting) static_cast<void>(cache_.push_unnamed(set));
}

/// Before lines are looked up that may be among those without a name.
template <class Cache>
void L2Walk<Cache>::name_if_known(const Access& access) {
  std::uint64_t row = access.address;
  for (std::uint32_t r = 0; r < access.rows; ++r, row += access.pitch) {
    if (access.row_bytes == 0 || !streams_.may_hold(row, access.row_bytes)) continue;
    const std::uint64_t last = (row + access.row_bytes - 1) >> line_shift_;
    for (std::uint64_t line = row >> line_shift_; line <= last; ++line) {
      if ((first_touch_.touched(line) & ((1U << sectors_per_line_) - 1)) == 0) continue;
      name_all();
      streams_.judge();
      return;
    }
  }
}

/// Lines `begin`, `begin` + 1 ... of an entry.
template <class Cache>
void L2Walk<Cache>::lines_of(const StreamLines::Entry& entry, std::uint64_t begin, std::span<std::uint64_t> lines) {
  const std::uint64_t row = begin / entry.row_lines;
  std::uint64_t start = entry.line + row * entry.pitch, at = begin - row * entry.row_lines;
  for (std::size_t i = 0; i < lines.size();) {
    const std::size_t count = std::min<std::uint64_t>(lines.size() - i, entry.row_lines - at);
    for (std::size_t k = 0; k < count; ++k) lines[i + k] = start + at + k;
    i += count;
    at = 0;
    start += entry.pitch;
  }
}

/// Which lines belong into a set that has lines without a name, the last one first; returns how many.
template <class Cache>
std::uint32_t L2Walk<Cache>::lines_wanted(std::span<const std::uint64_t> lines, const std::vector<std::uint32_t>& unnamed,
                                          std::uint32_t partition, std::array<std::uint32_t, kStreamPiece>& wanting) const {
  const IndexMap index = index_;
  const LinePlaces places = places_;
  const std::uint32_t* const names = unnamed.data();
  const auto count = static_cast<std::uint32_t>(lines.size());
  std::array<std::uint32_t, kStreamPiece> sets;
  std::array<std::uint32_t, kStreamPiece> wanted;
  for (std::uint32_t i = 0; i < count; ++i) sets[i] = index.narrow_set(static_cast<std::uint32_t>(lines[i]));
  for (std::uint32_t i = 0; i < count; ++i) wanted[i] = names[sets[i]];
  if (places.copies()) {
    for (std::uint32_t i = 0; i < count; ++i) sets[i] = places.copy({sets[i], 0}, partition).set;
    for (std::uint32_t i = 0; i < count; ++i) wanted[i] |= names[sets[i]];
  }
  std::uint32_t found = 0;
  for (std::uint32_t i = count; i-- > 0;) {
    wanting[found] = i;
    found += wanted[i] != 0 ? 1 : 0;
  }
  return found;
}

/// Gives every line without a name its own: the most recent one in a set is the last of the log that went there, and so on.
template <class Cache>
void L2Walk<Cache>::name_all() {
  if constexpr (Cache::kUnnamed) {
    if (!streams_.counts() || streams_.log().empty()) return;
    std::vector<std::uint32_t> unnamed(index_.sets());  // of each set; whole words, which a host can read many of at once
    std::uint64_t left = 0;
    for (std::uint32_t set = 0; set < index_.sets(); ++set) {
      put_waiting(set);
      unnamed[set] = cache_.count_unnamed(set);
      left += unnamed[set];
    }
    const auto give = [&](const SetAndTag& place) {
      if (unnamed[place.set] == 0) return;
      static_cast<void>(cache_.name_first(place.set, place.tag));
      --unnamed[place.set];
      --left;
    };
    const auto name = [&](std::uint64_t line, std::uint32_t partition) {
      const SetAndTag where = index_.locate(line);
      const SetAndTag home = {where.set, where.tag << places_.tag_shift()};
      give(home);
      if (!places_.copies()) return;
      const SetAndTag copy = places_.copy(home, partition);
      if (copy.set != home.set) give(copy);
    };
    const std::vector<StreamLines::Entry>& log = streams_.log();
    for (std::size_t e = log.size(); e-- > 0 && left > 0;) {
      const StreamLines::Entry entry = log[e];
      std::array<std::uint64_t, kStreamPiece> lines;
      std::array<std::uint32_t, kStreamPiece> wanting;
      for (std::uint64_t end = std::uint64_t{entry.rows} * entry.row_lines; end > 0 && left > 0;) {
        const auto count = static_cast<std::uint32_t>(std::min<std::uint64_t>(end, kStreamPiece));
        end -= count;
        lines_of(entry, end, std::span(lines.data(), count));
        const std::uint32_t found = lines_wanted(std::span(lines.data(), count), unnamed, entry.partition, wanting);
        // Sets that wanted a line may have got it from one that came later.
        for (std::uint32_t i = 0; i < found; ++i) name(lines[wanting[i]], entry.partition);
      }
    }
    streams_.forget();
  }
}

template <class Cache>
std::uint64_t L2Walk<Cache>::fingerprint(const LayerFrame& frame) {
  name_all();
  return fingerprint_of(cache_, index_.sets(), first_touch_, address_end_, frame,
                        [this](std::uint32_t set, std::uint64_t tag) { return line_at(set, tag) << line_shift_; });
}

}  // namespace rooftrace
