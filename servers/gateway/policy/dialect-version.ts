/**
 * The published versions of Intercept's policy language, the earliest first.
 *
 * `intercept@2026-03` is commit 77f0429. `intercept@2026-04` is the language since 31 March 2026. The second
 * version adds approvals and spend. In this version, a result with `isError` gives quota back.
 */
export const DIALECT_VERSIONS = ['intercept@2026-03', 'intercept@2026-04'] as const

export type DialectVersion = (typeof DIALECT_VERSIONS)[number]

/** The version to use if none is named. */
export const NEWEST_VERSION: DialectVersion = 'intercept@2026-04'

/** Returns whether `version` has the features that were added in `since`. */
export function includesVersion(version: DialectVersion, since: DialectVersion): boolean {
  return DIALECT_VERSIONS.indexOf(version) >= DIALECT_VERSIONS.indexOf(since)
}
