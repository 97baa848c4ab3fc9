using System.Diagnostics.CodeAnalysis;
using Microsoft.Win32.SafeHandles;

namespace Tcpcp.Linux.Bpf;

/// <summary>
/// A program that sees the events of a cgroup's TCP sockets. It stays there as long as the link has a descriptor or a pin, beside the programs of others. When the
/// cgroup is removed it stays for the sockets that were made there.
/// </summary>
internal sealed class CgroupLink : IDisposable
{
    private readonly SafeFileHandle _handle;

    private CgroupLink(SafeFileHandle handle) => _handle = handle;

    /// <summary>Number of the cgroup; 0: it is gone, its sockets too.</summary>
    public ulong Cgroup => BpfSystemCalls.Information<BpfCgroupLinkInformation>(_handle).Cgroup;

    public static CgroupLink Attach(BpfProgram program, CgroupDirectory directory)
    {
        using SafeFileHandle cgroup = directory.Open();
        bool programHeld = false, cgroupHeld = false;
        try
        {
            program.Handle.DangerousAddRef(ref programHeld);
            cgroup.DangerousAddRef(ref cgroupHeld);
            BpfLinkAttributes attributes = new()
            {
                Program = (int)program.Handle.DangerousGetHandle(),
                Interface = (uint)cgroup.DangerousGetHandle(), // target_fd, in one place with it
                AttachType = BpfConstants.BPF_CGROUP_SOCK_OPS,
            };
            return new CgroupLink(BpfSystemCalls.Open(BpfCommand.LinkCreate, ref attributes, $"cgroup {directory.Path}"));
        }
        finally
        {
            if (programHeld)
                program.Handle.DangerousRelease();
            if (cgroupHeld)
                cgroup.DangerousRelease();
        }
    }

    /// <returns>False if nothing is pinned there.</returns>
    public static bool TryOpen(string path, [NotNullWhen(true)] out CgroupLink? link)
    {
        link = BpfPin.TryOpen(path, out SafeFileHandle? handle) ? new CgroupLink(handle) : null;
        return link is not null;
    }

    public void Pin(string path) => BpfPin.Pin(_handle, path);

    /// <summary>Puts another program in place; no event meets none.</summary>
    public void Replace(BpfProgram program) => BpfSystemCalls.ReplaceProgram(_handle, program);

    public void Dispose() => _handle.Dispose();
}
