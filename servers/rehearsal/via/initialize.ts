import { VERSION } from '../../../shared/util/version.js'

/** The last revision of the protocol that has batches. */
export const REVISION = '2025-03-26'

export const INITIALIZE = {
  protocolVersion: REVISION,
  capabilities: {},
  clientInfo: { name: 'understudy-rehearsal', version: VERSION },
}
