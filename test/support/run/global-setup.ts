import { KEEPER_VARIABLE, startKeeper } from './keeper.js'

/** Keeps the temporary files and the PostgreSQL servers of a run where they end with it. The workers inherit the environment. */
export default async function setUp(): Promise<() => Promise<void>> {
  const keeper = await startKeeper()
  process.env[KEEPER_VARIABLE] = keeper.url
  // The folder for temporary files by its names on every system.
  for (const name of ['TMPDIR', 'TMP', 'TEMP']) process.env[name] = keeper.folder
  return keeper.stop
}
