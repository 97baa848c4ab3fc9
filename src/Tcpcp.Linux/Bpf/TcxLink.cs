using Microsoft.Win32.SafeHandles;

namespace Tcpcp.Linux.Bpf;

/// <summary>
/// A program at an interface's TCX hook of arriving packets. It stays there as long as the link has a descriptor or a pin. Other programs at the hook are not
/// touched.
/// </summary>
internal sealed class TcxLink : IDisposable
{
    private readonly SafeFileHandle _handle;

    private TcxLink(SafeFileHandle handle) => _handle = handle;

    /// <summary>Index of the interface; 0: it is gone.</summary>
    public int Interface => (int)BpfSystemCalls.Information<BpfLinkInformation>(_handle).Interface;

    /// <summary>Attaches a program to an interface of the calling thread's network namespace.</summary>
    /// <param name="before">A link of the same interface that comes right before; null: this is the first of all.</param>
    public static TcxLink Attach(BpfProgram program, int interfaceIndex, TcxLink? before)
    {
        bool programHeld = false, linkHeld = false;
        try
        {
            program.Handle.DangerousAddRef(ref programHeld);
            before?._handle.DangerousAddRef(ref linkHeld);
            BpfLinkAttributes attributes = new()
            {
                Program = (int)program.Handle.DangerousGetHandle(),
                Interface = (uint)interfaceIndex,
                AttachType = BpfConstants.BPF_TCX_INGRESS,
                Flags = before is null ? BpfConstants.BPF_F_BEFORE : BpfConstants.BPF_F_AFTER | BpfConstants.BPF_F_LINK,
                Relative = before is null ? 0 : (int)before._handle.DangerousGetHandle(),
            };
            return new TcxLink(BpfSystemCalls.Open(BpfCommand.LinkCreate, ref attributes, $"interface {interfaceIndex}"));
        }
        finally
        {
            if (programHeld)
                program.Handle.DangerousRelease();
            if (linkHeld)
                before!._handle.DangerousRelease();
        }
    }

    /// <returns>Null if nothing is pinned there.</returns>
    public static TcxLink? TryOpen(string path) => BpfPin.TryOpen(path, out SafeFileHandle? handle) ? new TcxLink(handle) : null;

    public void Pin(string path) => BpfPin.Pin(_handle, path);

    /// <summary>Puts another program in place; no packet meets none.</summary>
    public void Replace(BpfProgram program) => BpfSystemCalls.ReplaceProgram(_handle, program);

    /// <summary>Takes the program off the interface: no packet meets it when this returns. The link is of no more use.</summary>
    public void Detach()
    {
        int link = HeldDescriptor.Take(_handle);
        BpfLinkChangeAttributes attributes = new() { Link = link };
        int error = BpfSystemCalls.Try(BpfCommand.LinkDetach, ref attributes);
        HeldDescriptor.Return(_handle, 0);
        if (error != 0)
            throw KernelException.Of("bpf(BPF_LINK_DETACH)", error);
    }

    public void Dispose() => _handle.Dispose();
}
