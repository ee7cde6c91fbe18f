/** For what has to happen within a time that the program sets, however little of the processor a test gets. */

/** Beyond so many attempts it is not the machine. */
const ATTEMPTS = 30;

/**
 * Tries something again for as long as it fails after more than so many milliseconds: it came too late then, and says
 * nothing. What fails sooner is at fault.
 */
export async function inTime<T>(milliseconds: number, attempt: () => Promise<T>): Promise<T> {
  for (let left = ATTEMPTS; ; left -= 1) {
    const began = performance.now();
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() - began < milliseconds || left === 1) throw error;
    }
  }
}
