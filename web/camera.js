const WHY = {
  NotAllowedError: ['The camera was refused.', 'Allow it for this page in the browser, then try again.'],
  NotFoundError: ['There is no camera.', 'Connect one, or choose an image instead.'],
  NotReadableError: ['The camera does not answer.', 'Another program may be using it.'],
};

/** A camera that is on; `frame()` gives its next image. */
export class Camera {
  #track;
  #gone;
  #video = document.createElement('video');
  #canvas = document.createElement('canvas');

  /** Asks the person for permission. @throws Error with a `reason` to show */
  static async open() {
    // Browsers hide cameras from pages that came over plain HTTP from another machine.
    if (!navigator.mediaDevices)
      throw failure('This page may not use a camera.', 'Open it over HTTPS or on localhost.');
    const video = { facingMode: 'environment', width: { ideal: 1280 } };
    try {
      const camera = new Camera();
      await camera.#start(await navigator.mediaDevices.getUserMedia({ video, audio: false }));
      return camera;
    } catch (error) {
      throw failure(...(WHY[error.name] ?? ['The camera cannot be used.', error.message]));
    }
  }

  async #start(stream) {
    [this.#track] = stream.getVideoTracks();
    this.#gone = new Promise((_, reject) => {
      this.#track.addEventListener('ended', () => reject(failure('The camera is gone.', 'Connect it and try again.')));
    });
    // Between two frames nothing awaits it.
    this.#gone.catch(() => {});
    this.#video.muted = true;
    this.#video.playsInline = true;
    this.#video.srcObject = stream;
    await this.#video.play();
  }

  /** The next frame as a JPEG. @throws Error with a `reason` when the camera is gone */
  async frame() {
    await Promise.race([new Promise((resolve) => this.#video.requestVideoFrameCallback(resolve)), this.#gone]);
    this.#canvas.width = this.#video.videoWidth;
    this.#canvas.height = this.#video.videoHeight;
    this.#canvas.getContext('2d', { alpha: false }).drawImage(this.#video, 0, 0);
    return new Promise((resolve) => this.#canvas.toBlob(resolve, 'image/jpeg', 0.9));
  }

  close() {
    this.#track.stop();
    this.#video.srcObject = null;
  }
}

function failure(message, hint) {
  return Object.assign(new Error(message), { reason: { message, hint } });
}
