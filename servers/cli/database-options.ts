import { checkSource, type DatabasesOptions } from '../instanode/databases/open-databases.js'
import { asUsage, type Given } from './options.js'

/**
 * Where live databases come from, and where embedded ones stay.
 *
 * @throws UsageError
 */
export function databaseOptions(given: Given): DatabasesOptions {
  // What they come from if nobody says depends on where the rest is kept.
  const databases = given.has('databases') ? given.text('databases') : undefined
  const dataDirectory = given.text('data-dir')
  if (databases !== undefined) asUsage(() => checkSource(databases))
  return {
    ...(databases !== undefined && { databases }),
    ...(dataDirectory !== undefined && { dataDirectory }),
  }
}
