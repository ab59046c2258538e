import type { UnderstudyOptions } from '../../servers/understudy/index.js'
import { createRoom } from './clients/room.js'
import { startUnderstudy } from './servers/understudy.js'

/** An instance, and a room in which `boss` posts and `worker` works. */
export async function workplace(options: UnderstudyOptions = {}) {
  const understudy = await startUnderstudy(options)
  const boss = await understudy.safebot.connect({ handle: 'boss' })
  const worker = await understudy.safebot.connect({ handle: 'worker' })
  return { ...understudy, boss, worker, url: await createRoom(boss) }
}
