// The faults of hopperfaulty.cu.
#pragma once

enum LoadFault {
  less_expected = 1,
  more_expected,
  arrival_missing,
  misaligned_tile,
  map_not_acquired,
  init_not_published,
  not_waited,
  barrier_overwritten,
  arrives_twice,
  no_barrier,
  beyond_shared,
  loaded_twice,
  loaded_again,
  wrong_parity,
};

enum ProductFault {
  no_fence = 1,
  no_async_fence,
  no_wait,
  no_commit,
  accumulator_written,
  operand_overwritten,
  warp_missing,
  lanes_differ,
  warps_differ,
  inside_an_atom,
  odd_stride,
  outside_shared,
  too_early,
  registers_differ,
  accumulator_not_named,
};
