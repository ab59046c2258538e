import type { ContractName, ContractRow } from '../../shared/contract.js'

/**
 * The points where the published documentation of Instanode and the running service disagree. Each row gives
 * the behaviour of the stand-in under both contracts, and the source of each behaviour.
 */
export const CONTRACT_TABLE = {
  raisesPaidLimits: {
    about: 'the limits of a paid resource, also of a database that a paid account claims',
    documented: { value: true, means: 'are 500 MB, 5 connections and 1000 stored requests at once' },
    observed: {
      value: false,
      means:
        'stay at 10 MB, 2 connections and 100 stored requests, and only the expiry and the daily cap differ',
    },
    source: 'documented: its published prices. observed: the limits and the claim in its code',
  },
  readsBackOnGet: {
    about: 'GET on a receive URL',
    documented: { value: true, means: 'returns the stored requests, the newest first' },
    observed: { value: false, means: 'is stored as one more delivery' },
    source: 'documented: the tool text of its MCP client. observed: the routes in its code',
  },
  receivesAnyMethod: {
    about: 'the HTTP methods that a receiver accepts',
    documented: { value: true, means: 'are all methods' },
    observed: { value: false, means: 'are POST, GET and HEAD. The answer to others is 405' },
    source: 'documented: its docs and the wishes of its users. observed: the routes in its code',
  },
  returnsExistingOverCap: {
    about: 'the sixth anonymous creation of a resource on one day',
    documented: { value: false, means: 'is refused with 429 rate_limited' },
    observed: {
      value: true,
      means:
        'returns the newest active resource of the same type from the same subnet, or 429 if there is none',
    },
    source: 'documented: its docs. observed: its code',
  },
  refusesInvalidBearer: {
    about: 'an invalid bearer token, on create_postgres and create_webhook',
    documented: { value: true, means: 'is refused with 401 unauthorized' },
    observed: { value: false, means: 'is ignored, so the caller is anonymous' },
    source: 'documented: a later version of the service. observed: its code of April 2026',
  },
  linksFreeAccounts: {
    about: 'a resource that a free account creates',
    documented: {
      value: true,
      means:
        'belongs to the account and is outside of the daily cap. Its tier and its expiry are ' +
        'those of an anonymous resource',
    },
    observed: {
      value: false,
      means: 'counts against the daily cap, and belongs to the account only after a claim',
    },
    source: 'documented: its code of 25 April 2026. observed: its code of 19 April 2026',
  },
  namesResourceType: {
    about: 'the list of resources',
    documented: { value: true, means: 'has the fields resource_type and type. An empty list is []' },
    observed: { value: false, means: 'has the field type alone. An empty list is null over HTTP' },
    source: 'documented: its docs. observed: its code',
  },
  reapsAtOnce: {
    about: 'a resource that was deleted or has reached its expires_at',
    documented: {
      value: true,
      means:
        'is removed at once: its sessions end, its database is dropped, its receiver answers ' +
        '410. The answer to a deletion is 200',
    },
    observed: {
      value: false,
      means:
        'is removed at the next five-minute tick, and an expired resource works until then. ' +
        'The answer to a deletion is 202',
    },
    source: 'documented: its docs. observed: the reaper in its code',
  },
  locksOverQuota: {
    about: 'a database that is larger than its storage limit',
    documented: {
      value: false,
      means: 'refuses writes with 53100 until space is freed. The size of an empty database does not count',
    },
    observed: {
      value: true,
      means:
        'locks its owner out for good at the next five-minute tick, with the status ' +
        'quota_exceeded. Its whole size counts, and the limit is 10 MB',
    },
    source: 'documented: its published limits. observed: the reaper in its code',
  },
  limitsRequests: {
    about: 'the HTTP requests of one address',
    documented: { value: false, means: 'are not limited' },
    observed: {
      value: true,
      means: 'are limited to 20 at once and 10 a second. The answer to more is 429 too_many_requests',
    },
    source: 'documented: its docs mention no limit. observed: its code',
  },
  marksFailedCalls: {
    about: 'a tool call that the service refuses',
    documented: { value: true, means: 'is marked isError' },
    observed: {
      value: false,
      means: 'is plain text. Only arguments that the schema refuses are marked isError',
    },
    source: 'documented: the MCP specification and the wishes of its users. observed: its MCP client 0.7',
  },
} as const satisfies Record<string, ContractRow>

/** One contract: true or false for each row of the table. */
export type Contract = Readonly<Record<keyof typeof CONTRACT_TABLE, boolean>>

/** Returns the values that one contract has in the table. */
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
