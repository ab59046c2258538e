/**
 * The versions of Intercept's policy language, the earliest first.
 *
 * `intercept@2026-03` is the language of commit 77f0429. `intercept@2026-04` is the language since 31 March
 * 2026. It adds approvals and spend. It also gives quota back for a result with `isError`.
 */
export const DIALECT_VERSIONS = ['intercept@2026-03', 'intercept@2026-04'] as const

export type DialectVersion = (typeof DIALECT_VERSIONS)[number]

/** The default version. */
export const NEWEST_VERSION: DialectVersion = 'intercept@2026-04'

/** Returns whether `version` is `since` or a later version. */
export function includesVersion(version: DialectVersion, since: DialectVersion): boolean {
  return DIALECT_VERSIONS.indexOf(version) >= DIALECT_VERSIONS.indexOf(since)
}
