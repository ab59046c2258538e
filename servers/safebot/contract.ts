import type { ContractName, ContractRow } from '../../shared/contract.js'

/**
 * The differences between the published words and the running service, and the behaviour of the stand-in
 * under each of the two contracts.
 */
export const CONTRACT_TABLE = {
  keepsUnacknowledged: {
    about: 'a room with an unacknowledged message in its buffer',
    documented: { value: true, means: 'is kept as long as the buffer keeps the message' },
    observed: { value: false, means: 'is evicted 30 to 45 s after it falls idle, and the message with it' },
    source: 'measured on the running service',
  },
  claimsKeepRoomAlive: {
    about: 'claims and acknowledgements that return at once',
    documented: { value: true, means: 'keep their room from falling idle' },
    observed: { value: false, means: 'do not: a steady consumer loses its backlog after about 40 s' },
    source: 'measured on the running service',
  },
  anyMessageEndsBlock: {
    about: 'an own or excluded message that arrives while a call is parked',
    documented: { value: false, means: 'leaves the call waiting' },
    observed: { value: true, means: 'ends the call early, empty' },
    source: 'measured on the running service',
  },
  waitsForMissingRoom: {
    about: 'a tool call that claims or waits in a room that is not open yet',
    documented: { value: true, means: 'waits out its timeout; the room is not created by waiting' },
    observed: { value: false, means: 'returns at once' },
    source: 'measured on the running service',
  },
  cancelledNextTaskGivesBack: {
    about: 'a next_task whose caller has gone',
    documented: { value: true, means: 'claims nothing for it' },
    observed: { value: false, means: 'claims and acknowledges later, and the message is lost' },
    source: 'measured on the running service',
  },
  answersErrorsInJson: {
    about: 'malformed JSON, a body that is too large, a route that is none',
    documented: { value: true, means: 'get an error in JSON, like all others' },
    observed: { value: false, means: 'get a page of HTML; here without the stack that the service shows' },
    source: 'measured on the running service',
  },
} as const satisfies Record<string, ContractRow>

/** One contract: a switch for each row of the table. */
export type Contract = Readonly<Record<keyof typeof CONTRACT_TABLE, boolean>>

/** Returns the switches of a contract. */
export function contractOf(name: ContractName): Contract {
  const row = (key: keyof typeof CONTRACT_TABLE): boolean => CONTRACT_TABLE[key][name].value
  return {
    keepsUnacknowledged: row('keepsUnacknowledged'),
    claimsKeepRoomAlive: row('claimsKeepRoomAlive'),
    anyMessageEndsBlock: row('anyMessageEndsBlock'),
    waitsForMissingRoom: row('waitsForMissingRoom'),
    cancelledNextTaskGivesBack: row('cancelledNextTaskGivesBack'),
    answersErrorsInJson: row('answersErrorsInJson'),
  }
}
