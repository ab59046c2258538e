import {
  account,
  creates,
  type InstanodeAsked,
  isActive,
  isAnonymous,
  isListed,
  isLocked,
  isName,
  isReaped,
  isUuid,
  type Operation,
  overdue,
  pays,
  type Resource,
} from './instanode-request.js'
import { type Answer, field, type Promised } from './promise.js'

const DAY = 24 * 3_600_000

type InstanodePromise = Promised<InstanodeAsked>

const limits = ({ json }: Answer) => field(json, 'limits')
const allows = (answer: Answer, { type }: InstanodeAsked, paid: boolean) =>
  type === 'postgres'
    ? field(limits(answer), 'storage_mb') === (paid ? 500 : 10) &&
      field(limits(answer), 'connections') === (paid ? 5 : 2)
    : field(limits(answer), 'requests_stored') === (paid ? 1000 : 100)
const items = ({ json }: Answer): unknown[] => (Array.isArray(json) ? json : [])

/** The same end of a resource's life, as seen by one operation. */
function ends(operation: Operation, error: string): InstanodePromise[] {
  const of = (holds: (resource: Resource, x: InstanodeAsked) => boolean) => (x: InstanodeAsked) =>
    x.operation === operation && x.resource !== undefined && holds(x.resource, x)
  const expiry = { source: 'two contracts: expiry', row: 'reapsAtOnce' }
  const quota = { source: 'two contracts: quota; §9', row: 'locksOverQuota' }
  const gone = { status: 410, error }
  return [
    { what: 'a deleted resource is gone at once', source: '§5', when: of(({ deleted }) => deleted), ...gone },
    {
      what: 'an outgrown database is locked for good',
      ...quota,
      under: 'observed',
      when: of(isLocked),
      ...gone,
    },
    { what: 'an outgrown database stays in use', ...quota, under: 'documented', when: of(isLocked) },
    { what: 'a resource ends at its expires_at', ...expiry, under: 'documented', when: of(overdue), ...gone },
    {
      what: 'a resource ends at the tick after it',
      ...expiry,
      under: 'observed',
      when: of(isReaped),
      ...gone,
    },
    { what: 'an overdue resource works until the tick', ...expiry, under: 'observed', when: of(overdue) },
  ]
}

/** How Instanode answers, in both contracts. The first promise with a status decides. */
export const INSTANODE: readonly InstanodePromise[] = [
  {
    ...{ what: 'no request gets a 5xx or a page', source: '§1', when: () => true },
    holds: ({ status, type }) => status < 500 && !type.includes('html'),
  },
  {
    ...{ what: 'a refused call is marked', source: 'two contracts: failed tool call' },
    ...{ row: 'marksFailedCalls', under: 'documented', when: x => x.tool && !x.badArguments, tools: true },
    holds: ({ status, marked }) => marked === status >= 400,
  },
  {
    ...{ what: 'a refused call is plain text', source: 'two contracts: failed tool call' },
    ...{ row: 'marksFailedCalls', under: 'observed', when: x => x.tool && !x.badArguments, tools: true },
    holds: ({ marked }) => marked === false,
  },
  {
    ...{ what: 'the schema marks what it refuses', source: '§13', when: x => x.badArguments && account(x) },
    ...{ status: 400, tools: true, holds: ({ marked }) => marked === true },
  },
  {
    ...{ what: 'the schema refuses bad arguments', source: '§13', when: x => x.badArguments, status: 400 },
  },
  {
    ...{
      what: '20 requests at once, 10 a second',
      source: '§3: separate HTTP limiter',
      row: 'limitsRequests',
    },
    ...{
      under: 'observed',
      when: x => !x.tool && x.requestsLeft < 1,
      status: 429,
      error: 'too_many_requests',
    },
  },
  {
    ...{ what: 'requests are not limited', source: 'two contracts', row: 'limitsRequests' },
    ...{
      under: 'documented',
      when: x => !x.tool && x.requestsLeft < 1,
      holds: ({ json }) => field(json, 'error') !== 'too_many_requests',
    },
  },
  { what: 'it is healthy', source: '§1.8', when: x => x.operation === 'health', status: 200 },
  {
    ...{ what: 'no such page', source: '§1.8', when: x => x.operation === 'unknown' && x.method === 'GET' },
    ...{ status: 404, holds: ({ type }) => type.startsWith('text/plain') },
  },
  { what: 'no such method', source: '§1.8', when: x => x.operation === 'unknown', status: 405 },
  {
    ...{ what: 'an account is needed', source: '§7', status: 401, error: 'unauthorized' },
    when: x => ['list', 'mint', 'claim', 'delete'].includes(x.operation) && !account(x),
  },

  {
    ...{ what: 'a name has 1 to 64 bytes and no control characters', source: '§8' },
    ...{ when: x => creates(x) && !isName(x.text), status: 400, error: 'name_required' },
  },
  {
    ...{ what: 'an invalid bearer is refused', source: 'two contracts', row: 'refusesInvalidBearer' },
    ...{
      under: 'documented',
      when: x => creates(x) && x.caller === 'invalid',
      status: 401,
      error: 'unauthorized',
    },
  },
  {
    ...{ what: 'an invalid bearer is anonymous', source: 'two contracts', row: 'refusesInvalidBearer' },
    ...{
      under: 'observed',
      when: x => creates(x) && x.caller === 'invalid',
      holds: ({ status }) => status !== 401,
    },
  },
  {
    ...{
      what: 'a free account is not capped',
      source: '§1.9, §2',
      row: 'linksFreeAccounts',
      under: 'documented',
    },
    ...{ when: x => creates(x) && x.caller === 'free', holds: ({ status }) => status === 201 },
  },
  {
    ...{ what: 'a free account is capped', source: '§1.9, §2', row: 'linksFreeAccounts', under: 'observed' },
    when: x => creates(x) && x.caller === 'free',
  },
  {
    ...{ what: 'the sixth provision is refused', source: 'two contracts; §3', row: 'returnsExistingOverCap' },
    ...{ under: 'documented', when: x => creates(x) && isAnonymous(x) && x.provisions >= 5 },
    ...{ status: 429, error: 'rate_limited' },
  },
  {
    ...{ what: 'the sixth provision returns the newest', source: '§1.1, §3', row: 'returnsExistingOverCap' },
    ...{ under: 'observed', status: 200 },
    when: x => creates(x) && isAnonymous(x) && x.provisions >= 5 && x.alike.some(one => isActive(one, x)),
    holds: ({ json }, x) => field(json, 'token') === x.alike.find(one => isActive(one, x))?.token,
  },
  {
    ...{ what: 'the sixth provision has nothing to return', source: '§3', row: 'returnsExistingOverCap' },
    ...{ under: 'observed', when: x => creates(x) && isAnonymous(x) && x.provisions >= 5 },
    ...{ status: 429, error: 'rate_limited' },
  },
  {
    ...{ what: 'paid limits are 500 MB, 5, 1000', source: 'two contracts; §2', row: 'raisesPaidLimits' },
    ...{ under: 'documented', when: x => creates(x) && pays(x), status: 201 },
    holds: (answer, x) => allows(answer, x, true) && field(answer.json, 'expires_at') === undefined,
  },
  {
    ...{ what: 'paid limits are those of all', source: 'two contracts; §2', row: 'raisesPaidLimits' },
    ...{ under: 'observed', when: x => creates(x) && pays(x), status: 201 },
    holds: (answer, x) => allows(answer, x, false) && field(answer.json, 'expires_at') === undefined,
  },
  {
    ...{ what: 'it lasts 24 hours, with 10 MB, 2, 100', source: '§1.1, §2', when: creates, status: 201 },
    holds: (answer, x) =>
      allows(answer, x, false) &&
      field(limits(answer), 'expires_in') === '24h' &&
      Date.parse(String(field(answer.json, 'expires_at'))) === x.now + DAY,
  },

  {
    ...{
      what: 'items have resource_type, and none is []',
      source: 'two contracts; §1.4',
      row: 'namesResourceType',
    },
    ...{ under: 'documented', when: x => x.operation === 'list' },
    holds: ({ json }) =>
      Array.isArray(json) && json.every(item => field(item, 'resource_type') === field(item, 'type')),
  },
  {
    ...{
      what: 'items have type alone, and none is null',
      source: 'two contracts; §1.4',
      row: 'namesResourceType',
    },
    ...{ under: 'observed', when: x => x.operation === 'list' },
    holds: ({ json }) =>
      json === null ||
      (Array.isArray(json) &&
        json.length > 0 &&
        json.every(item => field(item, 'resource_type') === undefined)),
  },
  {
    ...{ what: 'the list has what is owned and not gone, the latest first', source: '§6' },
    ...{ when: x => x.operation === 'list', status: 200 },
    holds: (answer, x) =>
      items(answer)
        .map(item => field(item, 'token'))
        .join() ===
      x.owned
        .filter(one => isListed(one, x))
        .map(({ token }) => token)
        .join(),
  },
  {
    ...{
      what: 'minting gives a token for 30 days',
      source: '§7',
      when: x => x.operation === 'mint',
      status: 200,
    },
    holds: ({ json }) =>
      field(json, 'expires_in') === 2_592_000 &&
      /^[\w-]+\.[\w-]+\.[\w-]+$/.test(String(field(json, 'token'))),
  },

  {
    ...{
      what: 'a claim has a body',
      source: '§4',
      when: x => x.operation === 'claim' && x.text === undefined,
    },
    ...{ status: 400, error: 'invalid_body' },
  },
  {
    ...{
      what: 'a preview names a token',
      source: '§1.9',
      when: x => x.operation === 'preview' && x.text === '',
    },
    ...{ status: 400, error: 'missing_token' },
  },
  {
    ...{ what: 'a receiver takes any method', source: 'two contracts; §12', row: 'receivesAnyMethod' },
    ...{ under: 'documented', when: x => x.operation === 'receive' && !/^(GET|HEAD|POST)$/.test(x.method) },
    holds: ({ status }) => status !== 405,
  },
  {
    ...{
      what: 'a receiver takes GET, HEAD and POST',
      source: 'two contracts; §1.3',
      row: 'receivesAnyMethod',
    },
    ...{
      under: 'observed',
      when: x => x.operation === 'receive' && !/^(GET|HEAD|POST)$/.test(x.method),
      status: 405,
    },
  },
  {
    ...{ what: 'a token is a UUID', source: '§1.3, §4, §5, §10', status: 400 },
    when: x => ['claim', 'delete', 'receive', 'preview'].includes(x.operation) && !isUuid(x.text ?? ''),
    error: 'invalid_token',
  },
  {
    ...{
      what: 'a free account deletes nothing',
      source: '§5',
      when: x => x.operation === 'delete' && x.caller === 'free',
    },
    ...{ status: 403, error: 'paid_tier_only' },
  },
  {
    ...{ what: 'nothing has that token', source: '§1.3, §4, §5', status: 404 },
    when: x => ['claim', 'delete', 'receive', 'preview'].includes(x.operation) && x.resource === undefined,
  },
  {
    ...{ what: 'a database receives nothing', source: '§1.3', status: 404 },
    when: x => x.operation === 'receive' && x.resource?.type === 'postgres',
  },
  {
    ...{
      what: 'a resource that cannot be deleted is not found',
      source: '§5',
      status: 404,
      error: 'not_found',
    },
    when: x =>
      x.operation === 'delete' &&
      x.resource !== undefined &&
      (x.resource.owner !== x.caller || !isActive(x.resource, x)),
  },
  ...ends('claim', 'resource_expired'),
  ...ends('preview', 'resource_expired'),
  ...ends('receive', 'webhook_inactive'),
  {
    ...{ what: 'a claim of what another account has', source: '§4', status: 404, error: 'not_found' },
    when: x =>
      x.operation === 'claim' && x.resource !== undefined && ![null, x.caller].includes(x.resource.owner),
  },
  {
    ...{ what: 'a claim changes the owner, and the tier if it is paid', source: '§4', status: 200 },
    when: x => x.operation === 'claim',
    holds: ({ json }, x) =>
      field(json, 'token') === x.resource?.token &&
      field(json, 'resource_type') === x.resource?.type &&
      field(json, 'tier') === (pays(x) ? 'paid' : x.resource?.tier),
  },
  {
    ...{ what: 'a deletion is done', source: 'two contracts', row: 'reapsAtOnce', under: 'documented' },
    ...{ when: x => x.operation === 'delete', status: 200 },
  },
  {
    ...{ what: 'a deletion is queued', source: '§5', row: 'reapsAtOnce', under: 'observed' },
    ...{ when: x => x.operation === 'delete', status: 202 },
  },
  {
    ...{
      what: 'a preview tells of the resource',
      source: '§1.9',
      when: x => x.operation === 'preview',
      status: 200,
    },
    holds: ({ json }, x) => field(json, 'already_claimed') === (x.resource?.owner !== null),
  },
  {
    ...{ what: 'a delivery has at most 1 MiB', source: '§1.3', status: 413, error: 'payload_too_large' },
    when: x => x.operation === 'receive' && x.bodyBytes > 1024 * 1024,
  },
  {
    ...{
      what: 'GET reads the log back',
      source: 'two contracts; §1.3',
      row: 'readsBackOnGet',
      under: 'documented',
    },
    ...{ when: x => x.operation === 'receive' && x.method === 'GET', status: 200 },
    holds: ({ json }) => Array.isArray(field(json, 'requests')) && typeof field(json, 'total') === 'number',
  },
  {
    ...{
      what: 'GET is one more delivery',
      source: 'two contracts; §1.3',
      row: 'readsBackOnGet',
      under: 'observed',
    },
    ...{ when: x => x.operation === 'receive' && x.method === 'GET', status: 200 },
    holds: ({ json }) => isUuid(String(field(json, 'id'))),
  },
  {
    what: 'HEAD has no body',
    source: '§1.3',
    when: x => x.method === 'HEAD',
    holds: ({ text }) => text === '',
  },
  {
    ...{ what: 'a delivery gets an id', source: '§1.3', when: x => x.operation === 'receive', status: 200 },
    holds: ({ json }, { method }) => method === 'HEAD' || isUuid(String(field(json, 'id'))),
  },
]
