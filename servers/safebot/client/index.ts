import { type IdentityFiles, openIdentity } from './identity-files.js'
import { Keyring } from './keyring.js'
import { type RemoteOptions, RemoteService } from './remote-service.js'

/** The services far away that this process is a client of, one for each base. Its agents are the same to all of them. */
export class RemoteServices {
  readonly #options: Omit<RemoteOptions, 'quotesErrors'>
  readonly #services = new Map<string, RemoteService>()

  constructor(options: Omit<RemoteOptions, 'keyring' | 'quotesErrors'>) {
    this.#options = { ...options, keyring: new Keyring(options.ids.stream('keys')) }
  }

  /**
   * @param base an origin
   * @param quotesErrors whether callers see the bodies of its errors
   */
  at(base: string, quotesErrors: boolean): RemoteService {
    const service = this.#services.get(base) ?? new RemoteService(base, { ...this.#options, quotesErrors })
    this.#services.set(base, service)
    return service
  }

  /**
   * Takes up the identity that a folder keeps; it is made if there is none.
   *
   * @param folder e.g. `~/.config/safebot`
   * @param handle what it is to be called if the folder does not say
   * @returns its handle
   * @throws Refusal `identity_damaged` or `identity_unreachable`
   */
  async takeUp(folder: string, handle: string): Promise<string> {
    const { ids, machine, keyring } = this.#options
    const files: IdentityFiles = {
      folder,
      // From its beginning each time: a handle has one key.
      ids: ids.stream('identity').fromBeginning().stream(handle),
      now: () => machine.now(),
    }
    const keys = await openIdentity(files, handle)
    keyring.add(keys)
    return keys.handle
  }

  /** Answers what is parked, and leaves every room. */
  async close(): Promise<void> {
    for (const service of this.#services.values()) await service.close()
  }
}
