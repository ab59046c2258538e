import { checkSource, type DatabasesOptions } from '../instanode/open-databases.js'
import { asUsage, type Given } from './options.js'

/**
 * Where live databases come from, and where embedded ones stay.
 *
 * @throws UsageError
 */
export function databaseOptions(given: Given): DatabasesOptions {
  const databases = given.text('databases')
  const dataDirectory = given.text('data-dir')
  if (databases !== undefined) asUsage(() => checkSource(databases))
  return {
    ...(databases !== undefined && { databases }),
    ...(dataDirectory !== undefined && { dataDirectory }),
  }
}
