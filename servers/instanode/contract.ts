import type { ContractName, ContractRow } from '../../shared/contract.js'

/**
 * The differences between the published words and the running service, and the behaviour of the stand-in
 * under each of the two contracts.
 */
export const CONTRACT_TABLE = {
  raisesPaidLimits: {
    about: 'the limits of a paid resource, and of a live database whose owner claims it with a paid account',
    documented: { value: true, means: '500 MB, 5 connections, 1000 stored requests, in force at once' },
    observed: {
      value: false,
      means: 'stay at 10 MB, 2 connections, 100 stored requests; only expiry and cap differ',
    },
    source: 'its prices as published; the limits and the claim as its code has them',
  },
  readsBackOnGet: {
    about: 'GET on a receive URL',
    documented: { value: true, means: 'reads the log back, newest first' },
    observed: { value: false, means: 'is one more delivery' },
    source: 'the tool text of its MCP client; the routes of its code',
  },
  receivesAnyMethod: {
    about: 'the methods a receiver takes',
    documented: { value: true, means: 'any' },
    observed: { value: false, means: 'POST, GET and HEAD; 405 for others' },
    source: 'its docs and the requests of its users; the routes of its code',
  },
  returnsExistingOverCap: {
    about: 'the sixth anonymous provision of a day',
    documented: { value: false, means: 'is refused: 429 rate_limited' },
    observed: {
      value: true,
      means: 'returns the newest active resource of that type in the subnet; 429 if there is none',
    },
    source: 'its docs; its code',
  },
  refusesInvalidBearer: {
    about: 'a bearer that proves nothing, on create_postgres and create_webhook',
    documented: { value: true, means: 'is refused: 401 unauthorized' },
    observed: { value: false, means: 'is passed over: the caller is anonymous' },
    source: 'a later generation of the service; its code of April 2026',
  },
  linksFreeAccounts: {
    about: 'the resources of a free account',
    documented: {
      value: true,
      means: 'is linked to it and not capped; tier and expiry are the anonymous ones',
    },
    observed: { value: false, means: 'is capped, and not linked until it is claimed' },
    source: 'its code of 25 April 2026; its code of 19 April 2026',
  },
  namesResourceType: {
    about: 'the list of resources',
    documented: { value: true, means: 'has the type in resource_type and in type; an empty one is []' },
    observed: { value: false, means: 'has the type in type only; an empty one, over HTTP, is null' },
    source: 'its docs; its code',
  },
  reapsAtOnce: {
    about: 'a resource that is deleted, or has reached its expires_at',
    documented: {
      value: true,
      means:
        'is gone at once: sessions ended, database dropped, receiver answers 410; a deletion is answered 200',
    },
    observed: {
      value: false,
      means:
        'is gone at the next five-minute tick; an overdue resource works till then; a deletion is answered 202',
    },
    source: 'its docs; the reaper of its code',
  },
  locksOverQuota: {
    about: 'a database that has outgrown its storage',
    documented: {
      value: false,
      means: 'its growth over the empty database counts: writes fail with 53100 until space is freed',
    },
    observed: {
      value: true,
      means:
        'its whole size counts, at each five-minute tick: past 10 MB its owner is locked out, and it is quota_exceeded for good',
    },
    source: 'its limits as published; the reaper of its code',
  },
  limitsRequests: {
    about: 'requests to the HTTP API, by address',
    documented: { value: false, means: 'are not limited' },
    observed: { value: true, means: '20 at once and 10 a second; past that 429 too_many_requests' },
    source: 'nothing in its docs; its code',
  },
  marksFailedCalls: {
    about: 'a tool call that the service refuses',
    documented: { value: true, means: 'is marked isError' },
    observed: { value: false, means: 'is plain text; only what the schema refuses is marked' },
    source: 'the MCP specification and the requests of its users; its MCP client 0.7',
  },
} as const satisfies Record<string, ContractRow>

/** One contract: a switch for each row of the table. */
export type Contract = Readonly<Record<keyof typeof CONTRACT_TABLE, boolean>>

/** Returns the switches of a contract. */
export function contractOf(name: ContractName): Contract {
  const row = (key: keyof typeof CONTRACT_TABLE): boolean => CONTRACT_TABLE[key][name].value
  return {
    raisesPaidLimits: row('raisesPaidLimits'),
    readsBackOnGet: row('readsBackOnGet'),
    receivesAnyMethod: row('receivesAnyMethod'),
    returnsExistingOverCap: row('returnsExistingOverCap'),
    refusesInvalidBearer: row('refusesInvalidBearer'),
    linksFreeAccounts: row('linksFreeAccounts'),
    namesResourceType: row('namesResourceType'),
    reapsAtOnce: row('reapsAtOnce'),
    locksOverQuota: row('locksOverQuota'),
    limitsRequests: row('limitsRequests'),
    marksFailedCalls: row('marksFailedCalls'),
  }
}
