import type { ContractName, ContractRow } from '../../shared/contract.js'

/**
 * The behaviours in which the published words and the running service disagree. Each row has the behaviour of
 * the stand-in under both contracts.
 */
export const CONTRACT_TABLE = {
  keepsUnacknowledged: {
    about: 'the eviction of a room with an unacknowledged message',
    documented: { value: true, means: 'the room is kept as long as its buffer keeps the message' },
    observed: {
      value: false,
      means: 'the room is evicted 30 to 45 s after its last activity, and the message is lost',
    },
    source: 'measured on the running service',
  },
  claimsKeepRoomAlive: {
    about: 'claims and acknowledgements that return at once, as activity in a room',
    documented: { value: true, means: 'they count as activity, so the room is not evicted' },
    observed: {
      value: false,
      means: 'they do not count: a consumer that works through a backlog loses the rest after about 40 s',
    },
    source: 'measured on the running service',
  },
  anyMessageEndsBlock: {
    about: 'a waiting request whose own handle, or an excluded sender, posts a message',
    documented: { value: false, means: 'the request goes on waiting' },
    observed: { value: true, means: 'the request ends early and returns no message' },
    source: 'measured on the running service',
  },
  waitsForMissingRoom: {
    about: 'a tool call that claims or waits in a room that does not exist',
    documented: { value: true, means: 'the call waits until its time-out and does not open the room' },
    observed: { value: false, means: 'the call returns at once' },
    source: 'measured on the running service',
  },
  cancelledNextTaskGivesBack: {
    about: 'a waiting next_task whose caller has left',
    documented: { value: true, means: 'the call claims nothing afterwards' },
    observed: { value: false, means: 'the call claims and acknowledges the next message, which is lost' },
    source: 'measured on the running service',
  },
  answersErrorsInJson: {
    about: 'the answer to malformed JSON, a body that is too large, or an unknown route',
    documented: { value: true, means: 'an error in JSON, as for all other errors' },
    observed: { value: false, means: 'an HTML page, but without the stack trace that the service shows' },
    source: 'measured on the running service',
  },
} as const satisfies Record<string, ContractRow>

/** One contract: the value of each row of the table. */
export type Contract = Readonly<Record<keyof typeof CONTRACT_TABLE, boolean>>

/** Returns the contract with a name. */
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
