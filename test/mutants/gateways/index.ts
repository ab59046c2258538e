import { ANSWERING } from './answering.js'
import { COUNTING } from './counting.js'
import { EDGES } from './edges.js'
import { EQUIVALENT } from './equivalent.js'
import { JUDGING } from './judging.js'
import type { GatewayMutant } from './mutant.js'
import { PASSING } from './passing.js'
import { REACHING } from './reaching.js'

/** Every broken gateway, and the equivalent ones. */
export const GATEWAYS: readonly GatewayMutant[] = [
  ...REACHING,
  ...ANSWERING,
  ...JUDGING,
  ...COUNTING,
  ...PASSING,
  ...EDGES,
  ...EQUIVALENT,
]
