import type { DatabasesOptions } from '../instanode/open-databases.js'
import type { Given } from './options.js'

/** Where live databases come from, and where embedded ones stay. */
export function databaseOptions(given: Given): DatabasesOptions {
  const databases = given.text('databases')
  const dataDirectory = given.text('data-dir')
  return {
    ...(databases !== undefined && { databases }),
    ...(dataDirectory !== undefined && { dataDirectory }),
  }
}
