import { SERVER_NAMES, type ServerName } from '../../../shared/util/known-tools.js'
import type { Policy } from './model.js'

/**
 * Facts about a tool for the review of a policy. A test compares the arguments with the tools of the
 * stand-ins.
 */
export interface KnownTool {
  readonly server: ServerName
  /** Arguments that every call must have. */
  readonly required: readonly string[]
  /** Arguments that a call may leave out. */
  readonly optional: readonly string[]
  /** Arguments that are numbers. All other arguments are strings, except `include_self`. */
  readonly numbers?: readonly string[]
  /**
   * The change that the tool makes. Set only for tools that a reviewer could take for tools that only read.
   */
  readonly seemsRead?: string
  /** A secret in the arguments or results of the tool. */
  readonly secretIn?: { readonly arguments?: string; readonly results?: string }
}

const ROOM_KEY = 'the key of the room, after the # in url'

/** The fourteen tools of the stand-ins, in the order in which the stand-ins list them. */
export const KNOWN_TOOLS: Readonly<Record<string, KnownTool>> = {
  create_postgres: {
    server: 'instanode',
    required: ['name'],
    optional: [],
    secretIn: { results: 'a connection URL with its password' },
  },
  create_webhook: {
    server: 'instanode',
    required: ['name'],
    optional: [],
    secretIn: { results: 'a URL that can be read without a credential' },
  },
  list_resources: {
    server: 'instanode',
    required: [],
    optional: [],
    secretIn: { results: 'the tokens of all resources' },
  },
  claim_token: {
    server: 'instanode',
    required: ['token'],
    optional: [],
    secretIn: { arguments: 'the token of a resource', results: 'the token of a resource' },
  },
  delete_resource: {
    server: 'instanode',
    required: ['token'],
    optional: [],
    secretIn: { arguments: 'the token of a resource' },
  },
  get_api_token: {
    server: 'instanode',
    required: [],
    optional: [],
    seemsRead: 'mints a credential for the whole account that is good for 30 days and cannot be revoked',
    secretIn: { results: 'a credential for the whole account' },
  },
  create_room: {
    server: 'safebot',
    required: [],
    optional: ['base'],
    secretIn: { results: ROOM_KEY },
  },
  send_message: {
    server: 'safebot',
    required: ['url', 'text'],
    optional: ['name'],
    secretIn: { arguments: ROOM_KEY },
  },
  wait_for_messages: {
    server: 'safebot',
    required: ['url'],
    optional: ['after_seq', 'timeout_seconds', 'include_self', 'name'],
    numbers: ['after_seq', 'timeout_seconds'],
    secretIn: { arguments: ROOM_KEY, results: 'the messages of the room' },
  },
  get_transcript: {
    server: 'safebot',
    required: ['url'],
    optional: ['after_seq', 'limit'],
    numbers: ['after_seq', 'limit'],
    secretIn: { arguments: ROOM_KEY, results: 'the messages of the room' },
  },
  room_status: {
    server: 'safebot',
    required: ['url'],
    optional: [],
    secretIn: { arguments: ROOM_KEY },
  },
  next_task: {
    server: 'safebot',
    required: ['url'],
    optional: ['timeout_seconds'],
    numbers: ['timeout_seconds'],
    seemsRead: 'removes a task for good, even if its work is never done',
    secretIn: { arguments: ROOM_KEY, results: 'the messages of the room' },
  },
  claim_task: {
    server: 'safebot',
    required: ['url'],
    optional: ['timeout_seconds'],
    numbers: ['timeout_seconds'],
    seemsRead: 'holds a message for 60 seconds, and blocks for up to 90',
    secretIn: { arguments: ROOM_KEY, results: 'the messages of the room' },
  },
  ack_task: {
    server: 'safebot',
    required: ['url', 'claim_id', 'seq'],
    optional: [],
    numbers: ['seq'],
    seemsRead: 'moves the cursor, so that the message is not delivered again',
    secretIn: { arguments: ROOM_KEY },
  },
}

/** Returns the facts about a tool. Returns undefined if no stand-in has the tool. */
export function knownTool(name: string): KnownTool | undefined {
  return Object.hasOwn(KNOWN_TOOLS, name) ? KNOWN_TOOLS[name] : undefined
}

/** Returns the tools that a policy names in `tools` and `hide`. */
export function toolsNamed({ tools, hide }: Policy): string[] {
  return [...tools.keys(), ...hide].filter(name => name !== '*')
}

/** Returns the stand-ins that have these tools, in the order in which the stand-ins start. */
export function serversOf(tools: readonly string[]): ServerName[] {
  const servers = new Set(tools.flatMap(name => knownTool(name)?.server ?? []))
  return SERVER_NAMES.filter(server => servers.has(server))
}
