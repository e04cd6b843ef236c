/**
 * Accepts photos from the file inputs, drag and drop, and the clipboard, and reduces them before upload.
 *
 * page.js runs the search. The API decides whether a photo can be decoded.
 */

const MAX_SIDE = 1600; // pixels: no model uses more
const MAX_UNCHANGED_BYTES = 1_500_000; // a smaller file is sent as it is, unless it has too many pixels
const JPEG_QUALITY = 0.9;
const UNKNOWN_TYPES = ["", "application/octet-stream", "binary/octet-stream"];
// JPEG, PNG, GIF, BMP, TIFF, WebP, and AVIF or HEIC
const IMAGE_START = /^(\xff\xd8\xff|\x89PNG|GIF8|BM|II[*+]\0|MM\0[*+]|RIFF[^]{4}WEBP|[^]{4}ftyp)/;

/** Calls `onPhoto(file)` for each photo, and `onRejected(reason)` for anything else. */
export function watchPhotos({ inputs, overlay, onPhoto, onRejected }) {
  const accept = async (transfer) => {
    const files = [...transfer.files]; // before the event ends, and empties the list
    for (const file of files) if (await isPhoto(file)) return onPhoto(file);
    if (files.length) onRejected(`${files[0].name} is not an image.`);
    else onRejected("Only image files can be dropped here. Save the image first, or copy and paste it.");
  };

  for (const input of inputs) {
    input.addEventListener("change", () => {
      if (input.files.length) accept(input);
      input.value = ""; // so that choosing the same file again fires an event
    });
  }

  document.addEventListener("paste", (event) => {
    if (!event.clipboardData.files.length) return; // text goes into the search field
    event.preventDefault();
    accept(event.clipboardData);
  });

  let internal = false; // whether an element of this page is being dragged
  document.addEventListener("dragstart", () => (internal = true));
  document.addEventListener("dragend", () => (internal = false));

  let depth = 0; // dragenter and dragleave fire for every element on the way
  const updateOverlay = (change) => {
    depth = Math.max(0, depth + change);
    overlay.hidden = depth === 0;
  };
  document.addEventListener("dragenter", (event) => !internal && hasImage(event) && updateOverlay(1));
  document.addEventListener("dragleave", (event) => !internal && hasImage(event) && updateOverlay(-1));
  document.addEventListener("dragover", (event) => {
    if (internal || !hasImage(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
  });
  document.addEventListener("drop", (event) => {
    updateOverlay(-depth);
    if (internal || !hasImage(event)) return;
    event.preventDefault();
    accept(event.dataTransfer);
  });
}

// The browser takes the type from the file's extension, and knows none for `dress.jpg_large`: then the content decides.
async function isPhoto(file) {
  if (!UNKNOWN_TYPES.includes(file.type)) return file.type.startsWith("image/");
  try {
    const start = String.fromCharCode(...new Uint8Array(await file.slice(0, 16).arrayBuffer()));
    return IMAGE_START.test(start);
  } catch {
    return false; // a folder
  }
}

/** Whether the type or the name of a photo is that of HEIC, the format of iPhones. */
export function isHeic(photo) {
  return /^image\/hei[cf]/.test(photo.type) || /\.hei[cf]$/i.test(photo.name);
}

/** A JPEG of at most 1,600 pixels a side. The photo itself if it is small or this browser can't decode it. */
export async function reducePhoto(photo) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(photo, { imageOrientation: "from-image" });
  } catch {
    return photo; // for example HEIC in most browsers: the API can, or reports that it does not support the format
  }
  const scale = MAX_SIDE / Math.max(bitmap.width, bitmap.height);
  const keep = scale >= 1 && !isHeic(photo); // not every server reads HEIC, but Safari does
  if (keep && photo.size <= MAX_UNCHANGED_BYTES) return photo;
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * Math.min(1, scale)));
  canvas.height = Math.max(1, Math.round(bitmap.height * Math.min(1, scale)));
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff"; // JPEG has no transparency, and product photos have a white background
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const reduced = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", JPEG_QUALITY));
  if (!reduced || reduced.size >= photo.size && keep) return photo;
  return new File([reduced], photo.name || "photo.jpg", { type: "image/jpeg" });
}

// A file, or an image dragged from another page. Not selected text on its way to the search field.
function hasImage(event) {
  const { types } = event.dataTransfer;
  return types.includes("Files") || types.includes("text/uri-list");
}
