package cpu
import ("testing";"syscall";"runtime";"fmt";"os";"sort")
func cpuTime() float64 { var r syscall.Rusage; syscall.Getrusage(1,&r); return float64(r.Utime.Sec)+float64(r.Utime.Usec)*1e-6+float64(r.Stime.Sec)+float64(r.Stime.Usec)*1e-6}
func TestZZ(t *testing.T){
 runtime.LockOSThread()
 for _,k:=range implementations()[:2] {
  if s:=os.Getenv("ISA"); s!="" && s!=k.name {continue}
  nr:=3*k.lanes; M:=64; K:=256
  a:=make([]float32,M*K); bb:=make([]float32,K*nr); c:=make([]float32,M*nr); off:=consecutive(K,nr)
  peak:=func() float64 { t0:=cpuTime(); n:=0; for cpuTime()-t0<0.02 { k.gemm[3](a,bb,off,c,nr,M/k.rows,K*k.rows,0); n++}; return 2*float64(n*M*K*nr)/(cpuTime()-t0)/1e9 }
  for _, s := range [][4]int{{32,32,16,3}, {64, 32, 16,3}, {128, 16, 16,3}, {128, 8, 16,3}, {256, 16, 4,3}, {256,32,2,3}, {64,32,16,1}, {128,16,16,1}} {
   ch, hw, n,kk := s[0], s[1], s[2],s[3]
   out:=fmt.Sprintf("%s %dch %dpx %dx%d:",k.name,ch,hw,kk,kk)
   for _, p := range convProblems(t, n, ch, ch, hw, hw, kk, true) {
     be := newBackend(k, 1)
     kr, ar := p.prepare(t, be)
     kr.Run(ar)
     flop := float64(2*kk*kk) * float64(n*ch*ch*hw*hw)
     var rs, gs []float64
     for i:=0;i<7;i++ { p0:=peak(); t0:=cpuTime(); m:=0; for m==0 || cpuTime()-t0<0.03 {kr.Run(ar); m++}; g:=flop*float64(m)/(cpuTime()-t0)/1e9; p1:=peak(); rs=append(rs,g/((p0+p1)/2)); gs=append(gs,g)}
     sort.Float64s(rs); sort.Float64s(gs)
     out+=fmt.Sprintf("  %5.1f (%.2f)",gs[3],rs[3])
   }
   fmt.Println(out)
  }
  fmt.Println("peak",peak(),peak())
 }
}
