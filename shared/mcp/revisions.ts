import { SUPPORTED_PROTOCOL_VERSIONS } from '@modelcontextprotocol/sdk/types.js'

/** The revision a request that names none is taken to speak (specification 2025-06-18 and later). */
const ASSUMED = '2025-03-26'

/** Batches were part of 2025-03-26 and were taken out again. */
const FIRST_WITHOUT_BATCHES = '2025-06-18'

/** The SDK's own bound. */
const MAX_BATCH = 100

/** Why a protocol revision is not spoken here; undefined if it is, or if none is named. */
export function versionRefusal(version: string | undefined): string | undefined {
  if (version === undefined || SUPPORTED_PROTOCOL_VERSIONS.includes(version)) return undefined
  const supported = SUPPORTED_PROTOCOL_VERSIONS.join(', ')
  return `Unsupported protocol version ${JSON.stringify(version)} (supported versions: ${supported})`
}

/**
 * Why a batch is not taken; undefined if it is.
 *
 * @param size how many messages it has
 * @param version the revision agreed on or named by the caller; revisions are dates, so they compare as text
 */
export function batchRefusal(size: number, version = ASSUMED): string | undefined {
  if (version >= FIRST_WITHOUT_BATCHES) {
    return `protocol revision ${version} has no batches: send one message at a time`
  }
  if (size === 0) return 'the batch is empty'
  return size > MAX_BATCH ? `the batch has ${size} messages: ${MAX_BATCH} is the most` : undefined
}
