import { expect, it } from 'vitest'
import { Command } from '../../support/clients/command.js'
import { makeLargeCalls } from '../../support/clients/large-calls.js'

/** More than the 58 MB that the arguments of one call take once parsed, with room for garbage: 73 of those are 4,200 MB. */
const MAX_RESIDENT_MB = 600

it('stays under 600 MB of resident memory through 73 calls of 4 MB', async () => {
  const command = new Command(['up', '--safebot-port', '0', '--json'])
  const [line = ''] = await command.lines(1)
  const { safebot } = JSON.parse(line)
  const most = await makeLargeCalls(safebot.mcp, command.process.pid, 73)
  expect(most).toBeLessThan(MAX_RESIDENT_MB)
})
